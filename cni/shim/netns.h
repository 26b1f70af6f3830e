/* The pod's network namespace, seen from the shim. */
#ifndef WEFT_NETNS_H
#define WEFT_NETNS_H

#include <stdbool.h>

/* Opens the namespace file at `path` without ever blocking on it. Answers a descriptor, or -1 with errno. */
int netns_open(const char *path);

/* True when `netns` is the namespace this process is in, or that cannot be told. */
bool netns_is_own(int netns);

/*
 * Moves this process into `netns` and opens a NETLINK_ROUTE socket there; it stays bound to that namespace
 * wherever it is passed. Answers the socket, or -1 with errno.
 */
int netns_route_socket(int netns);

/* One more such socket, in the namespace this process is in by now. Answers it, or -1 with errno. */
int netns_another_socket(void);

/*
 * A descriptor that becomes readable when `path`, by which `netns` was opened, goes: of a process where it lies in that
 * process's /proc, and else an inotify instance for the folder in which it lies, which tells the names that go. It keeps
 * neither the path nor the namespace. -1 where there is no such descriptor.
 */
int netns_end(const char *path, int netns);

/*
 * In the namespace this process is in: whatever interface comes later listens neither to router advertisements
 * (CVE-2020-10749) nor to redirects, and has IPv6 where the kernel has it. False with errno, and in `*setting` the
 * path of what could not be written.
 */
bool netns_harden(const char **setting);

#endif
