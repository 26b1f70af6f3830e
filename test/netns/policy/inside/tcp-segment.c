// Sends one TCP segment without a connection: tcp-segment SOURCE PORT DESTINATION PORT FLAGS
// FLAGS are the bits of the header as a number: 1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static uint32_t sum(const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  uint32_t total = 0;
  for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)(at[i] << 8 | at[i + 1]);
  return total;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int family = strchr(argv[1], ':') ? AF_INET6 : AF_INET;
  size_t length = family == AF_INET ? 4 : 16;
  uint8_t from[16], to[16];
  if (inet_pton(family, argv[1], from) != 1 || inet_pton(family, argv[3], to) != 1) return 2;
  struct tcphdr header = {0};
  header.source = htons((uint16_t)atoi(argv[2]));
  header.dest = htons((uint16_t)atoi(argv[4]));
  header.seq = htonl(1000);
  header.ack_seq = htonl(2000);
  header.doff = 5;
  header.window = htons(1000);
  ((uint8_t *)&header)[13] = (uint8_t)atoi(argv[5]);
  uint32_t total = sum(from, length) + sum(to, length) + IPPROTO_TCP + sizeof header + sum(&header, sizeof header);
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  header.check = htons((uint16_t)~total);
  int fd = socket(family, SOCK_RAW, IPPROTO_TCP);
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  memcpy(&v4.sin_addr, to, 4);
  memcpy(&v6.sin6_addr, to, 16);
  struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
  socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
  // From an address that is not the sender's own, too.
  struct sockaddr_in from4 = {.sin_family = AF_INET};
  struct sockaddr_in6 from6 = {.sin6_family = AF_INET6};
  memcpy(&from4.sin_addr, from, 4);
  memcpy(&from6.sin6_addr, from, 16);
  struct sockaddr *source = family == AF_INET ? (struct sockaddr *)&from4 : (struct sockaddr *)&from6;
  int on = 1;
  if (family == AF_INET)
    setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on);
  else
    setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on);
  if (fd < 0 || bind(fd, source, size) < 0 || sendto(fd, &header, sizeof header, 0, address, size) < 0) {
    perror("tcp-segment");
    return 1;
  }
  return 0;
}
