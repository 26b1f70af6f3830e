// A prober: sends and answers packets in the network namespace it runs in, many probes at a time, until its standard
// input ends.
//
// Usage: prober [PORT…]   it echoes what comes to these ports by TCP and UDP, over IPv4 and IPv6.
//
// One command a line on standard input; for each command one line on standard output, `ID RESULT`. RESULT is `ok` where
// an answer came, `silent` where none came within TIMEOUT_MS, `refused` on a reset or a closed port, `prohibited` or
// `unreachable` where an ICMP error of that kind came, else the name of errno.
//
//   tcp ID ADDRESS PORT TIMEOUT_MS     connects, sends a byte, waits for its echo, closes by reset
//   udp ID ADDRESS PORT TIMEOUT_MS     sends a datagram, waits for its echo
//   ping ID ADDRESS TIMEOUT_MS         sends an ICMP or ICMPv6 echo request
//   open ID ADDRESS PORT TIMEOUT_MS    as tcp, and keeps the connection under the name ID
//   openudp ID ADDRESS PORT TIMEOUT_MS as udp, and keeps the socket under the name ID
//   again ID TIMEOUT_MS                sends on what was opened as ID and waits for the echo; `silent` keeps it open
//   hear ID TIMEOUT_MS                 waits for what the other end sends by itself on ID
//   push ID PORT                       as a server: sends a byte on each connection that PORT accepted, and a datagram to
//                                      whoever sent one last; answers `ok` at once
//   close ID                           closes by reset
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SOCKETS = 4096, MAX_PORTS = 64, ID_LENGTH = 64 };

enum kind { NONE, LISTENER, SERVED, ECHO_UDP, CLIENT_TCP, CLIENT_UDP, CLIENT_PING };

struct socket_state {
  enum kind kind;
  int fd;
  char id[ID_LENGTH];
  int keep;        // stays open after the answer
  int waiting;     // a command waits for it
  int connecting;  // TCP: the handshake is under way
  int family;
  long long deadline;
  int port;  // of the server's side
  struct sockaddr_in6 last_sender;
  int has_sender;
};

static struct socket_state sockets[MAX_SOCKETS];
static int count;

static long long now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

static void answer(const char *id, const char *result) {
  printf("%s %s\n", id, result);
  fflush(stdout);
}

static const char *reason(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE: return "refused";
    case EACCES:
    case EPERM: return "prohibited";
    case EHOSTUNREACH:
    case ENETUNREACH: return "unreachable";
    case EMSGSIZE: return "too-big";
    default: return strerrorname_np(error);
  }
}

static struct socket_state *add(enum kind kind, int fd) {
  struct socket_state *each = NULL;
  for (int i = 0; i < count && each == NULL; i++)
    if (sockets[i].kind == NONE) each = &sockets[i];
  if (each == NULL) {
    if (count == MAX_SOCKETS) {
      close(fd);
      return NULL;
    }
    each = &sockets[count++];
  }
  memset(each, 0, sizeof *each);
  each->kind = kind;
  each->fd = fd;
  return each;
}

static void drop(struct socket_state *each) {
  struct linger reset = {1, 0};
  if (each->kind == CLIENT_TCP || each->kind == SERVED)
    setsockopt(each->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(each->fd);
  each->kind = NONE;
}

static void settle(struct socket_state *each, const char *result) {
  if (each->waiting) answer(each->id, result);
  each->waiting = 0;
  if (!each->keep || (strcmp(result, "ok") != 0 && strcmp(result, "silent") != 0)) drop(each);
}

static struct socket_state *find(const char *id) {
  for (int i = 0; i < count; i++)
    if (sockets[i].kind >= CLIENT_TCP && strcmp(sockets[i].id, id) == 0) return &sockets[i];
  return NULL;
}

static int read_address(const char *text, int port, struct sockaddr_storage *out, socklen_t *length) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof *v4;
    return AF_INET;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) return -1;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  *length = sizeof *v6;
  return AF_INET6;
}

static void want_errors(int fd, int family) {
  int on = 1;
  if (family == AF_INET) setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  else setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
}

static void ping_out(struct socket_state *each) {
  unsigned char packet[16] = {0};
  packet[0] = each->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  if (send(each->fd, packet, sizeof packet, 0) < 0) settle(each, reason(errno));
}

static void begin(enum kind kind, const char *id, const char *text, int port, long long timeout, int keep) {
  struct sockaddr_storage to;
  socklen_t length;
  int family = read_address(text, port, &to, &length);
  if (family < 0) return answer(id, "no-address");
  int type = kind == CLIENT_TCP ? SOCK_STREAM : SOCK_DGRAM;
  int protocol = kind != CLIENT_PING ? 0 : family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  int fd = socket(family, type | SOCK_NONBLOCK, protocol);
  struct socket_state *each = fd < 0 ? NULL : add(kind, fd);
  if (each == NULL) return answer(id, fd < 0 ? reason(errno) : "too-many");
  snprintf(each->id, sizeof each->id, "%s", id);
  each->family = family;
  each->keep = keep;
  each->waiting = 1;
  each->deadline = now_ms() + timeout;
  want_errors(fd, family);
  each->connecting = kind == CLIENT_TCP;
  if (connect(fd, (struct sockaddr *)&to, length) < 0 && errno != EINPROGRESS) return settle(each, reason(errno));
  if (kind == CLIENT_UDP && send(fd, "?", 1, 0) < 0) return settle(each, reason(errno));
  if (kind == CLIENT_PING) ping_out(each);
}

static void push(const char *id, int port) {
  for (int i = 0; i < count; i++) {
    struct socket_state *each = &sockets[i];
    if (each->port != port) continue;
    if (each->kind == SERVED) (void)!send(each->fd, "!", 1, MSG_NOSIGNAL);
    if (each->kind == ECHO_UDP && each->has_sender)
      (void)!sendto(each->fd, "!", 1, 0, (struct sockaddr *)&each->last_sender, sizeof each->last_sender);
  }
  answer(id, "ok");
}

static void command(char *line) {
  char verb[16], id[ID_LENGTH], address[64];
  int port = 0;
  long long timeout = 0;
  int read = 0;
  if (sscanf(line, "%15s %63s%n", verb, id, &read) != 2) return;
  const char *rest = line + read;
  if (strcmp(verb, "ping") == 0 && sscanf(rest, "%63s %lld", address, &timeout) == 2)
    return begin(CLIENT_PING, id, address, 0, timeout, 0);
  if (strcmp(verb, "push") == 0 && sscanf(rest, "%d", &port) == 1) return push(id, port);
  if (strcmp(verb, "again") == 0 || strcmp(verb, "hear") == 0) {
    struct socket_state *each = find(id);
    if (each == NULL || sscanf(rest, "%lld", &timeout) != 1) return answer(id, "not-open");
    each->waiting = 1;
    each->deadline = now_ms() + timeout;
    if (verb[0] == 'a' && send(each->fd, "?", 1, MSG_NOSIGNAL) < 0) settle(each, reason(errno));
    return;
  }
  if (strcmp(verb, "close") == 0) {
    struct socket_state *each = find(id);
    if (each != NULL) drop(each);
    return answer(id, "ok");
  }
  if (sscanf(rest, "%63s %d %lld", address, &port, &timeout) != 3) return answer(id, "bad-command");
  if (strcmp(verb, "tcp") == 0) return begin(CLIENT_TCP, id, address, port, timeout, 0);
  if (strcmp(verb, "udp") == 0) return begin(CLIENT_UDP, id, address, port, timeout, 0);
  if (strcmp(verb, "open") == 0) return begin(CLIENT_TCP, id, address, port, timeout, 1);
  if (strcmp(verb, "openudp") == 0) return begin(CLIENT_UDP, id, address, port, timeout, 1);
  answer(id, "bad-command");
}

static void listen_on(int port) {
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  int on = 1;
  for (int tcp = 0; tcp < 2; tcp++) {
    int fd = socket(AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0 || (tcp && listen(fd, 128) < 0)) {
      perror("prober: bind");
      exit(1);
    }
    struct socket_state *each = add(tcp ? LISTENER : ECHO_UDP, fd);
    each->port = port;
  }
}

// The error that an ICMP message left: more exact than what the socket call says.
static const char *queued_error(int fd, int fallback) {
  char control[512], data[64];
  struct iovec part = {data, sizeof data};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each != NULL; each = CMSG_NXTHDR(&message, each)) {
      struct sock_extended_err error;
      memcpy(&error, CMSG_DATA(each), sizeof error);
      if (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == ICMP_DEST_UNREACH &&
          (error.ee_code == ICMP_PKT_FILTERED || error.ee_code == ICMP_NET_ANO || error.ee_code == ICMP_HOST_ANO))
        return "prohibited";
      if (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == ICMP6_DST_UNREACH &&
          error.ee_code == ICMP6_DST_UNREACH_ADMIN)
        return "prohibited";
      return reason(error.ee_errno);
    }
  }
  return reason(fallback);
}

static void ready(struct socket_state *each, short events) {
  char data[2048];
  if (each->kind == LISTENER) {
    int fd = accept4(each->fd, NULL, NULL, SOCK_NONBLOCK);
    struct socket_state *served = fd < 0 ? NULL : add(SERVED, fd);
    if (served != NULL) served->port = each->port;
    return;
  }
  if (each->kind == ECHO_UDP) {
    socklen_t length = sizeof each->last_sender;
    ssize_t got = recvfrom(each->fd, data, sizeof data, 0, (struct sockaddr *)&each->last_sender, &length);
    if (got <= 0) return;
    each->has_sender = 1;
    (void)!sendto(each->fd, data, got, 0, (struct sockaddr *)&each->last_sender, length);
    return;
  }
  if (each->kind == SERVED) {
    ssize_t got = recv(each->fd, data, sizeof data, 0);
    if (got > 0) (void)!send(each->fd, data, got, MSG_NOSIGNAL);
    else if (got == 0 || errno != EAGAIN) drop(each);
    return;
  }
  if (each->connecting && (events & (POLLOUT | POLLERR | POLLHUP))) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(each->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return settle(each, queued_error(each->fd, error));
    each->connecting = 0;
    if (send(each->fd, "?", 1, MSG_NOSIGNAL) < 0) settle(each, reason(errno));
    return;
  }
  ssize_t got = recv(each->fd, data, sizeof data, 0);
  if (got > 0) {
    if (each->waiting) settle(each, "ok");
    return;
  }
  if (got == 0 && each->kind == CLIENT_TCP) return settle(each, "refused");
  if (got < 0 && errno != EAGAIN) {
    const char *why = queued_error(each->fd, errno);
    // An error about an earlier datagram of a socket that is kept is not this one's answer, nor its end.
    if (each->waiting) settle(each, why);
    else if (each->kind == CLIENT_TCP) drop(each);
    return;
  }
  if (events & POLLERR) {
    const char *why = queued_error(each->fd, 0);
    if (each->waiting && each->kind != CLIENT_TCP) settle(each, why);
  }
}

int main(int argc, char **argv) {
  static struct pollfd polled[MAX_SOCKETS + 1];
  static int index_of[MAX_SOCKETS + 1];
  char input[16384];
  size_t held = 0;
  if (argc > MAX_PORTS) return 2;
  for (int i = 1; i < argc; i++) listen_on(atoi(argv[i]));
  answer("-", "ready");
  for (;;) {
    int used = 1;
    long long now = now_ms(), soonest = now + 1000;
    polled[0] = (struct pollfd){0, POLLIN, 0};
    for (int i = 0; i < count; i++) {
      struct socket_state *each = &sockets[i];
      if (each->kind == NONE) continue;
      if (each->waiting && each->deadline < soonest) soonest = each->deadline;
      index_of[used] = i;
      polled[used++] = (struct pollfd){each->fd, each->connecting ? POLLOUT : POLLIN, 0};
    }
    if (poll(polled, used, soonest > now ? (int)(soonest - now) : 0) < 0 && errno != EINTR) return 1;
    for (int i = 1; i < used; i++)
      if (polled[i].revents && sockets[index_of[i]].kind != NONE) ready(&sockets[index_of[i]], polled[i].revents);
    now = now_ms();
    for (int i = 0; i < count; i++)
      if (sockets[i].kind != NONE && sockets[i].waiting && now >= sockets[i].deadline) settle(&sockets[i], "silent");
    if (!(polled[0].revents & (POLLIN | POLLHUP))) continue;
    ssize_t got = read(0, input + held, sizeof input - held - 1);
    if (got <= 0) return 0;
    held += got;
    input[held] = 0;
    char *start = input, *end;
    while ((end = strchr(start, '\n')) != NULL) {
      *end = 0;
      command(start);
      start = end + 1;
    }
    held = input + held - start;
    memmove(input, start, held);
    if (held == sizeof input - 1) return 1;
  }
}
