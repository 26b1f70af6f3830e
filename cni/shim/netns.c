#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int netns_open(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }

bool netns_is_own(int netns) {
    struct stat own, other;
    if (stat("/proc/self/ns/net", &own) != 0 || fstat(netns, &other) != 0) return true;
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int netns_route_socket(int netns) {
    if (setns(netns, CLONE_NEWNET) != 0) return -1;
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
}

bool netns_harden(const char **setting) {
    /* A new interface copies "default". For IPv4 redirects "all" counts too while the pod does not forward. */
    static const struct {
        const char *path;
        char value;
    } settings[] = {
        {"/proc/sys/net/ipv4/conf/all/accept_redirects", '0'},
        {"/proc/sys/net/ipv4/conf/default/accept_redirects", '0'},
        {"/proc/sys/net/ipv6/conf/default/accept_ra", '0'},
        {"/proc/sys/net/ipv6/conf/default/accept_redirects", '0'},
        {"/proc/sys/net/ipv6/conf/default/disable_ipv6", '0'},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int file = open(settings[i].path, O_WRONLY | O_CLOEXEC);
        if (file < 0 && errno == ENOENT) continue; /* a kernel without this protocol */
        *setting = settings[i].path;
        if (file < 0) return false;
        bool written = write(file, &settings[i].value, 1) == 1;
        int cause = errno;
        close(file);
        errno = cause;
        if (!written) return false;
    }
    return true;
}
