#define _GNU_SOURCE
#include "spool.h"
#include "daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* FNV-1a, 64 bits, of both names; two of them with different starts name a file. No secret hangs on it. */
static uint64_t hash_of(uint64_t hash, const char *container_id, const char *interface) {
    for (const char *at = container_id; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    hash = (hash ^ '/') * 0x100000001b3u;
    for (const char *at = interface; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return hash;
}

/* Whoever can write to the spool can delete pods. So it must be root's or ours, and nobody else's to write; else EPERM. */
static bool is_trusted(int folder) {
    struct stat found;
    if (fstat(folder, &found) != 0) return false;
    errno = EPERM;
    return (found.st_uid == 0 || found.st_uid == geteuid()) && (found.st_mode & 022) == 0;
}

static int open_folder(const char *run_dir) {
    if (mkdir(run_dir, 0755) != 0 && errno != EEXIST) return -1;
    int outer = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (outer < 0) return -1;
    int folder = -1;
    if (is_trusted(outer) && (mkdirat(outer, "deletions", 0700) == 0 || errno == EEXIST))
        folder = openat(outer, "deletions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int cause = errno;
    close(outer);
    if (folder >= 0 && !is_trusted(folder)) {
        cause = errno;
        close(folder);
        folder = -1;
    }
    errno = cause;
    return folder;
}

static bool lock_folder(int folder, int64_t deadline_ms) {
    while (flock(folder, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        if (clock_ms() >= deadline_ms) {
            errno = ETIMEDOUT;
            return false;
        }
        struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
    }
    return true;
}

/* True when the folder, not counting `name`, holds fewer than SPOOL_MAX_FILES deletions. */
static bool has_room(int folder, const char *name) {
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    if (entries == NULL) {
        if (again >= 0) close(again);
        return false;
    }
    int count = 0;
    struct dirent *entry;
    while (count < SPOOL_MAX_FILES && (entry = readdir(entries)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, name) != 0) count++;
    closedir(entries);
    if (count < SPOOL_MAX_FILES) return true;
    errno = ENOSPC;
    return false;
}

static bool write_file(int folder, const char *name, const char *text, size_t length) {
    /* Under the lock there is one writer, so one name will do, and a crash leaves at most this one file. */
    static const char pending[] = ".pending";
    unlinkat(folder, pending, 0);
    int file = openat(folder, pending, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return false;
    while (length > 0) {
        ssize_t written = write(file, text, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        text += written;
        length -= (size_t)written;
    }
    bool good = length == 0 && fsync(file) == 0;
    int cause = errno;
    close(file);
    if (good && renameat(folder, pending, folder, name) == 0 && fsync(folder) == 0) return true;
    if (good) cause = errno;
    unlinkat(folder, pending, 0);
    errno = cause;
    return false;
}

bool spool_deletion(const char *run_dir, const char *container_id, const char *interface, const char *text,
                    size_t length, int64_t deadline_ms, char path[SPOOL_PATH_SIZE]) {
    char name[40];
    snprintf(name, sizeof name, "%016llx%016llx.json",
             (unsigned long long)hash_of(0xcbf29ce484222325u, container_id, interface),
             (unsigned long long)hash_of(0x84222325cbf29ce4u, container_id, interface));
    int needed = snprintf(path, SPOOL_PATH_SIZE, "%s/deletions/%s", run_dir, name);
    if (needed < 0 || needed >= SPOOL_PATH_SIZE) {
        errno = ENAMETOOLONG;
        return false;
    }
    int folder = open_folder(run_dir);
    if (folder < 0) return false;
    bool good = lock_folder(folder, deadline_ms) && has_room(folder, name) && write_file(folder, name, text, length);
    int cause = errno;
    close(folder); /* gives up the lock */
    errno = cause;
    return good;
}
