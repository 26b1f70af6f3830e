#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int netns_open(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }

bool netns_is_own(int netns) {
    struct stat own, other;
    if (stat("/proc/self/ns/net", &own) != 0 || fstat(netns, &other) != 0) return true;
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int netns_another_socket(void) {
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
}

int netns_route_socket(int netns) { return setns(netns, CLONE_NEWNET) == 0 ? netns_another_socket() : -1; }

/* The process in whose /proc `path` lies: /proc/PID/…; 0 for any other path. */
static pid_t process_of(const char *path) {
    static const char proc[] = "/proc/";
    if (strncmp(path, proc, sizeof proc - 1) != 0) return 0;
    char *end;
    long pid = strtol(path + sizeof proc - 1, &end, 10);
    return *end == '/' && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* An inotify instance that tells which names go from the folder of `path`. */
static int folder_watch(const char *path) {
    static char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat file;
    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof folder) return -1;
    /* Of a link nobody knows when what it leads to goes. */
    if (lstat(path, &file) != 0 || S_ISLNK(file.st_mode)) return -1;
    memcpy(folder, path, (size_t)(slash - path));
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch < 0) return -1;
    uint32_t goings = IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (inotify_add_watch(watch, folder, goings) >= 0) return watch;
    close(watch);
    return -1;
}

int netns_end(const char *path, int netns) {
    pid_t process = process_of(path);
    int end = process > 0 ? (int)syscall(SYS_pidfd_open, process, 0) : folder_watch(path);
    if (end < 0) return -1;
    /* It may have gone, or become another, before anybody watched. */
    struct stat opened, found;
    bool same = fstat(netns, &opened) == 0 && stat(path, &found) == 0 && opened.st_dev == found.st_dev &&
                opened.st_ino == found.st_ino;
    if (same) return end;
    close(end);
    return -1;
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
