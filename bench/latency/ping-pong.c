// One byte back and forth over TCP, without a runtime's event loop between, for what a tunnel adds to it.
//   ping-pong serve PORT              answers one client after the other
//   ping-pong ask ADDRESS PORT COUNT  prints half of each round trip: median and 99th percentile in µs
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kWarmUp = 200 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static int compare(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return difference < 0 ? -1 : difference > 0;
}

static void send_at_once(int fd) {
  int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

static void serve(int port) {
  int on = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4) != 0) fail("listen");
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    send_at_once(fd);
    char byte;
    while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
    }
    close(fd);
  }
}

static void ask(const char *address, int port, int count) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  double *times = calloc((size_t)count, sizeof *times);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (times == NULL || inet_pton(AF_INET, address, &to.sin_addr) != 1) fail("address");
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
  send_at_once(fd);
  for (int i = -kWarmUp; i < count; i++) {
    char byte = 'x';
    double sent = now();
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) fail("round trip");
    if (i >= 0) times[i] = (now() - sent) / 2;
  }
  qsort(times, (size_t)count, sizeof *times, compare);
  printf("%.1f %.1f\n", times[count / 2], times[count * 99 / 100]);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(atoi(argv[2]));
  else if (argc == 5 && strcmp(argv[1], "ask") == 0 && atoi(argv[4]) > 0) ask(argv[2], atoi(argv[3]), atoi(argv[4]));
  else fprintf(stderr, "usage: ping-pong serve PORT | ask ADDRESS PORT COUNT\n"), exit(2);
  return 0;
}
