#define _GNU_SOURCE
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_RETRY_MS 20

int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wait_ready(int descriptor, short events, int64_t deadline_ms) {
    for (;;) {
        int64_t left = deadline_ms - clock_ms();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd wait = {.fd = descriptor, .events = events};
        int ready = poll(&wait, 1, left > 60000 ? 60000 : (int)left);
        if (ready > 0) return true; /* errors and hang-ups show themselves in the call that follows */
        if (ready < 0 && errno != EINTR) return false;
    }
}

bool read_all(int descriptor, char *out, size_t size, size_t *length, int64_t deadline_ms) {
    *length = 0;
    for (;;) {
        if (!wait_ready(descriptor, POLLIN, deadline_ms)) return false;
        char beyond;
        bool full = *length == size;
        ssize_t got = full ? read(descriptor, &beyond, 1) : read(descriptor, out + *length, size - *length);
        if (got == 0) return true;
        if (got < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            return false;
        }
        if (full) {
            errno = EFBIG;
            return false;
        }
        *length += (size_t)got;
    }
}

/* Only root's daemon, or our own user's, gets a request and is believed. EPERM else. */
static bool is_trusted(int connection) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
    errno = EPERM;
    return peer.uid == 0 || peer.uid == geteuid();
}

int daemon_connect(const char *path, bool patient, int64_t deadline_ms) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection < 0) return -1;
    for (;;) {
        if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) {
            if (is_trusted(connection)) return connection;
            break;
        }
        bool absent = errno == ENOENT || errno == ECONNREFUSED;
        bool again = errno == EAGAIN || errno == EINTR || (absent && patient);
        if (!again || clock_ms() + CONNECT_RETRY_MS >= deadline_ms) break;
        struct timespec pause = {.tv_nsec = CONNECT_RETRY_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    int cause = errno;
    close(connection);
    errno = cause;
    return -1;
}

/* Sends all of `length` bytes; `descriptors` go with the first of them. */
static bool send_all(int connection, const char *bytes, size_t length, const struct descriptors *descriptors,
                     int64_t deadline_ms) {
    size_t attached = descriptors == NULL ? 0 : descriptors->count * sizeof(int);
    while (length > 0) {
        struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(DAEMON_DESCRIPTORS * sizeof(int))];
        } control = {.room = {0}};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (attached > 0) {
            message.msg_control = control.room;
            message.msg_controllen = CMSG_SPACE(attached);
            control.header.cmsg_level = SOL_SOCKET;
            control.header.cmsg_type = SCM_RIGHTS;
            control.header.cmsg_len = CMSG_LEN(attached);
            memcpy(CMSG_DATA(&control.header), descriptors->fd, attached);
        }
        if (!wait_ready(connection, POLLOUT, deadline_ms)) return false;
        ssize_t sent = sendmsg(connection, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            return false;
        }
        attached = 0;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool daemon_send(int connection, const char *text, size_t length, const struct descriptors *descriptors,
                 int64_t deadline_ms) {
    char head[4];
    for (int i = 0; i < 4; i++) head[i] = (char)(length >> (8 * i));
    return send_all(connection, head, sizeof head, descriptors, deadline_ms) &&
           send_all(connection, text, length, NULL, deadline_ms);
}

static bool receive_exactly(int connection, char *out, size_t length, int64_t deadline_ms) {
    while (length > 0) {
        if (!wait_ready(connection, POLLIN, deadline_ms)) return false;
        ssize_t got = recv(connection, out, length, 0);
        if (got < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            return false;
        }
        if (got == 0) {
            errno = ECONNRESET;
            return false;
        }
        out += got;
        length -= (size_t)got;
    }
    return true;
}

bool daemon_receive(int connection, char *out, size_t size, size_t *length, int64_t deadline_ms) {
    unsigned char head[4];
    if (!receive_exactly(connection, (char *)head, sizeof head, deadline_ms)) return false;
    *length = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (*length > size) {
        errno = EFBIG;
        return false;
    }
    return receive_exactly(connection, out, *length, deadline_ms);
}
