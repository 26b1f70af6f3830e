// Does what the CNI shim does, and no more: opens a routing netlink socket where it is started, and sends it with a
// request over a unix socket. Usage: pass-route-socket SOCKET REQUEST [COPIES]; prints the answer. With COPIES the
// descriptor goes that many times (at most 200).
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char bytes[4096];
  int copies = argc == 4 ? atoi(argv[3]) : 1;
  if (argc < 3 || copies < 1 || copies > 200 || strlen(argv[1]) >= sizeof address.sun_path || strlen(argv[2]) > sizeof bytes - 4) return 2;
  strcpy(address.sun_path, argv[1]);
  int route = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  if (route < 0 || client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("connect");
    return 1;
  }
  uint32_t length = (uint32_t)strlen(argv[2]);
  memcpy(bytes, &length, 4);
  memcpy(bytes + 4, argv[2], length);
  union {
    char room[CMSG_SPACE(200 * sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec part = {bytes, 4 + length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(copies * sizeof(int))};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(copies * sizeof(int));
  for (int i = 0; i < copies; i++) memcpy(CMSG_DATA(header) + i * sizeof(int), &route, sizeof route);
  if (sendmsg(client, &message, 0) != (ssize_t)(4 + length)) return 1;
  ssize_t got;
  for (size_t skip = 4; (got = read(client, bytes, sizeof bytes)) > 0;) {
    size_t from = skip < (size_t)got ? skip : (size_t)got;
    skip -= from;
    fwrite(bytes + from, 1, (size_t)got - from, stdout);
  }
  return got < 0;
}
