/*
 * Talking to weftd within a deadline: one connection to its control socket, one request, one answer.
 *
 *     0        4
 *     | length | JSON text of that many bytes        little endian; the same in both directions
 *
 * Descriptors travel by SCM_RIGHTS with the first byte of the request.
 */
#ifndef WEFT_DAEMON_H
#define WEFT_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds on the monotonic clock. */
int64_t clock_ms(void);

/* Waits until `descriptor` is ready for `events` (POLLIN, POLLOUT). False with errno ETIMEDOUT past the deadline. */
bool wait_ready(int descriptor, short events, int64_t deadline_ms);

/*
 * Reads `descriptor` up to its end. False with errno EFBIG when it holds more than `size` bytes, ETIMEDOUT past
 * the deadline, or what read(2) says.
 */
bool read_all(int descriptor, char *out, size_t size, size_t *length, int64_t deadline_ms);

/*
 * Connects to the unix socket at `path`. Tries again until the deadline while its backlog is full and, when
 * `patient`, while nobody listens. Answers a non-blocking descriptor, or -1 with errno: ENOENT or ECONNREFUSED
 * when nobody listens, EAGAIN when the daemon accepts no connections, EPERM when neither root nor our own user
 * listens there, ENAMETOOLONG, or another.
 */
int daemon_connect(const char *path, bool patient, int64_t deadline_ms);

/* Descriptors that go with a request: the first `count` of them. */
#define DAEMON_DESCRIPTORS 4
struct descriptors {
    int fd[DAEMON_DESCRIPTORS];
    size_t count;
};

/* Sends `length` bytes framed, with `descriptors` attached. False with errno. */
bool daemon_send(int connection, const char *text, size_t length, const struct descriptors *descriptors,
                 int64_t deadline_ms);

/*
 * Receives one framed answer of at most `size` bytes. False with errno: ECONNRESET when the daemon went away
 * before the end of its answer, EFBIG, ETIMEDOUT or another.
 */
bool daemon_receive(int connection, char *out, size_t size, size_t *length, int64_t deadline_ms);

#endif
