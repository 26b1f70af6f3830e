/*
 * A kernel that cannot, or will not, as a process sees it that is started with this library before all others
 * (LD_PRELOAD). BAD_KERNEL names the faults, with commas between:
 *   no-uso           they take no super-packets of UDP
 *   no-segments      sockets send no runs of datagrams in one call, and join none that come
 *   eio              the device refuses every run of datagrams, once the process has sent 200 datagrams
 *   no-buffers       every fifth message finds no buffer (ENOBUFS), once the process has sent 200
 *   too-large        no datagram above 1350 bytes may leave (EMSGSIZE)
 *   tun-refuses      every tenth frame of a lane is not taken by the TUN (EIO, as while it is down)
 *   crash            the first packet that a lane writes to the TUN after the file CRASH_WHEN is there is a fault in it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int has(const char *fault) {
    const char *faults = getenv("BAD_KERNEL");
    return faults != NULL && strstr(faults, fault) != NULL;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    if (real == NULL) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == TUNSETOFFLOAD && has("no-uso") && ((unsigned long)argument & (TUN_F_USO4 | TUN_F_USO6)) != 0)
        return refuse(EINVAL);
    return real(fd, request, argument);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    static int (*real)(int, int, int, const void *, socklen_t);
    if (real == NULL) real = (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
    if (level == SOL_UDP && has("no-segments")) return refuse(ENOPROTOOPT);
    return real(fd, level, name, value, length);
}

/* Bytes of each datagram in a run; 0 where the message is one datagram. */
static size_t segment_of(const struct msghdr *message) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL; at = CMSG_NXTHDR((struct msghdr *)message, at)) {
        uint16_t size = 0;
        if (at->cmsg_level != SOL_UDP || at->cmsg_type != UDP_SEGMENT) continue;
        memcpy(&size, CMSG_DATA(at), sizeof size);
        return size;
    }
    return 0;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    static ssize_t (*real)(int, const struct msghdr *, int);
    static atomic_long sends;
    if (real == NULL) real = (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    int kind = 0;
    socklen_t size = sizeof kind;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_DGRAM || message->msg_name == NULL ||
        ((struct sockaddr *)message->msg_name)->sa_family == AF_UNIX)
        return real(fd, message, flags);
    const size_t segment = segment_of(message);
    const long count = atomic_fetch_add(&sends, 1) + 1;
    if (segment != 0 && has("no-segments")) return refuse(EINVAL);
    if (segment != 0 && has("eio") && count > 200) return refuse(EIO);
    if (has("no-buffers") && count > 200 && count % 5 == 0) return refuse(ENOBUFS);
    const size_t longest = segment != 0 ? segment : message->msg_iov[0].iov_len;
    if (has("too-large") && longest > 1350) return refuse(EMSGSIZE);
    return real(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (real == NULL) real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    /* Only a lane writes frames of parts to a TUN; libuv's own writev is on other threads and to sockets. */
    const char *when = getenv("CRASH_WHEN");
    struct ifreq request;
    if (when != NULL && has("crash") && access(when, F_OK) == 0 && ioctl(fd, TUNGETIFF, &request) == 0)
        *(volatile unsigned *)(uintptr_t)0 = 1;
    static atomic_long frames;
    if (has("tun-refuses") && ioctl(fd, TUNGETIFF, &request) == 0 && atomic_fetch_add(&frames, 1) % 10 == 9)
        return refuse(EIO);
    return real(fd, parts, count);
}
