/*
 * Deletions for which the daemon was not there: one file each in RUN_DIR/deletions, which it works off when it
 * starts. So a pod can be deleted while the daemon is down, and its address still comes free.
 *
 * No deletion is lost between the two: the daemon first listens and then reads the folder, the shim first writes its file
 * and then tries the daemon once more. So either the daemon finds the file, or the shim finds the daemon.
 */
#ifndef WEFT_SPOOL_H
#define WEFT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_MAX_FILES 256
#define SPOOL_PATH_SIZE 256

/*
 * Writes `text` durably to the file of (container, interface), replacing an older one, and puts that file's
 * path into `path`. False with errno: ENOSPC also when SPOOL_MAX_FILES others wait, ETIMEDOUT when the folder's
 * lock was not to be had, EPERM when others than root and our own user may write there.
 */
bool spool_deletion(const char *run_dir, const char *container_id, const char *interface, const char *text,
                    size_t length, int64_t deadline_ms, char path[SPOOL_PATH_SIZE]);

#endif
