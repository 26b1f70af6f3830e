// A pod that sends from its first instruction and writes down all that comes, until its standard input ends. It may be
// started before its namespace has an interface: sending begins with the first packet that the kernel takes.
//
// Usage: first-packets ID FAST_MS SLOW_MS ADDRESS…
//
// To port 7779 of each address goes a datagram and the beginning of a TCP connection, from port 10000 + ID, so that
// whoever sent a packet is told by its source port: every FAST_MS in the first second, then every SLOW_MS. What comes to
// port 7779 is captured as it enters an interface, before anything judges it here. One line on standard output for the
// first packet of a kind and sender, and again for one at least 200 ms later:
//
//   MILLISECONDS SENDER u|t 4|6     when the kernel took it, since 1970; whose; UDP or TCP; IPv4 or IPv6
//
// Before that one line "ready"; "sends" once the kernel took the first packet; "lost N" where packets were not captured.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 7779, FIRST_PORT = 10000, MAX_SENDERS = 1024, MAX_TARGETS = 512, FAST_FOR_MS = 1000, QUIET_MS = 200 };
/** Looks for a network of its own so often. */
enum { TICK_MS = 2 };

struct target {
  int family;
  struct sockaddr_storage to;
  socklen_t length;
  int tcp;
};

static struct target targets[MAX_TARGETS];
static int target_count;
static int udp[2], own_port;
static double told_at[MAX_SENDERS][2][2];

static double wall_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static long long now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int bound(int family, int type, int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  int on = 1, fd = socket(family, type | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  int failed = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4) : bind(fd, (struct sockaddr *)&v6, sizeof v6);
  if (failed) fail("bind");
  return fd;
}

static void add_target(const char *text) {
  if (target_count == MAX_TARGETS) exit(2);
  struct target *each = &targets[target_count++];
  struct sockaddr_in *v4 = (struct sockaddr_in *)&each->to;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&each->to;
  each->tcp = -1;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_port = htons(PORT);
    each->family = v4->sin_family = AF_INET;
    each->length = sizeof *v4;
  } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_port = htons(PORT);
    each->family = v6->sin6_family = AF_INET6;
    each->length = sizeof *v6;
  } else exit(2);
}

/** Whether the kernel took it: it has a way there. */
static int send_datagram(struct target *each) {
  return sendto(udp[each->family == AF_INET6], "?", 1, 0, (struct sockaddr *)&each->to, each->length) == 1;
}

/** A socket that is closed before it was answered goes without a trace, so each is the beginning of a connection. */
static void begin_connection(struct target *each) {
  struct linger reset = {1, 0};
  if (each->tcp >= 0) {
    setsockopt(each->tcp, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(each->tcp);
  }
  each->tcp = bound(each->family, SOCK_STREAM, own_port);
  if (connect(each->tcp, (struct sockaddr *)&each->to, each->length) < 0 && errno != EINPROGRESS) {
    close(each->tcp);
    each->tcp = -1;
  }
}

static void take_in(const unsigned char *packet, ssize_t size, double at) {
  int is_v6 = size > 0 && packet[0] >> 4 == 6;
  int header = is_v6 ? 40 : (packet[0] & 15) * 4;
  if (size < header + 8) return;
  int protocol = is_v6 ? packet[6] : packet[9];
  const unsigned char *ports = packet + header;
  int from = ports[0] << 8 | ports[1], to = ports[2] << 8 | ports[3];
  int sender = from - FIRST_PORT;
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return;
  if (to != PORT || sender < 0 || sender >= MAX_SENDERS || from == own_port) return;
  double *last = &told_at[sender][protocol == IPPROTO_TCP][is_v6];
  if (at - *last < QUIET_MS) return;
  *last = at;
  printf("%.3f %d %c %c\n", at, sender, protocol == IPPROTO_TCP ? 't' : 'u', is_v6 ? '6' : '4');
}

static void capture(int fd) {
  unsigned char data[256];
  char control[128];
  for (;;) {
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
    if (size < 0) return;
    double at = wall_ms();
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each != NULL; each = CMSG_NXTHDR(&message, each))
      if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec stamp;
        memcpy(&stamp, CMSG_DATA(each), sizeof stamp);
        at = stamp.tv_sec * 1e3 + stamp.tv_nsec / 1e6;
      }
    take_in(data, size, at);
  }
}

static int open_capture(void) {
  int on = 1, size = 8 << 20;
  int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
  if (fd < 0) fail("AF_PACKET");
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)) fail("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)) fail("SO_TIMESTAMPNS");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  own_port = FIRST_PORT + atoi(argv[1]);
  int fast = atoi(argv[2]), slow = atoi(argv[3]);
  for (int i = 4; i < argc; i++) add_target(argv[i]);
  int captured = open_capture();
  udp[0] = bound(AF_INET, SOCK_DGRAM, own_port);
  udp[1] = bound(AF_INET6, SOCK_DGRAM, own_port);
  // So that nobody is told that the port is closed; what comes is captured, and never read.
  bound(AF_INET, SOCK_DGRAM, PORT);
  bound(AF_INET6, SOCK_DGRAM, PORT);
  printf("ready\n");
  fflush(stdout);
  long long sends_since = 0, next = 0;
  for (;;) {
    struct pollfd polled[2] = {{captured, POLLIN, 0}, {0, POLLIN, 0}};
    long long now = now_ms();
    if (poll(polled, 2, next > now ? (int)(next - now) : 0) < 0 && errno != EINTR) return 1;
    if (polled[1].revents) {
      char ignored[64];
      if (read(0, ignored, sizeof ignored) <= 0) return 0;
    }
    capture(captured);
    if ((now = now_ms()) >= next) {
      if (sends_since == 0 && target_count > 0) {
        next = now + TICK_MS;
        for (int i = 0; i < target_count && sends_since == 0; i++)
          if (send_datagram(&targets[i])) sends_since = now;
        if (sends_since != 0) printf("sends\n");
      }
      if (sends_since != 0 || target_count == 0) {
        for (int i = 0; i < target_count; i++) {
          send_datagram(&targets[i]);
          begin_connection(&targets[i]);
        }
        next = now + (now - sends_since < FAST_FOR_MS ? fast : slow);
      }
      struct tpacket_stats lost;
      socklen_t length = sizeof lost;
      if (getsockopt(captured, SOL_PACKET, PACKET_STATISTICS, &lost, &length) == 0 && lost.tp_drops > 0)
        printf("lost %u\n", lost.tp_drops);
    }
    fflush(stdout);
  }
}
