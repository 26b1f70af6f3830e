/*
 * Sends the first packet of a TCP connection over IPv6 behind an authentication header (RFC 4302). Nobody checks the
 * header: connection tracking reads over it, and the receiver drops what it has no association for.
 *
 * Usage: authenticated-syn SOURCE DESTINATION PORT   (addresses of IPv6; needs CAP_NET_RAW)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AUTHENTICATION = 51, TCP = 6, AH_BYTES = 24, TCP_BYTES = 20, SOURCE_PORT = 40000 };

static uint32_t sum16(const uint8_t *bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
  return sum;
}

/* Of the TCP header, with the pseudo-header of IPv6 (RFC 8200, section 8.1). */
static uint16_t checksum(const struct in6_addr *from, const struct in6_addr *to, const uint8_t *tcp) {
  uint32_t sum = sum16(from->s6_addr, 16) + sum16(to->s6_addr, 16) + TCP_BYTES + TCP + sum16(tcp, TCP_BYTES);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

int main(int argc, char **argv) {
  struct sockaddr_in6 from = {.sin6_family = AF_INET6}, to = {.sin6_family = AF_INET6};
  if (argc != 4 || inet_pton(AF_INET6, argv[1], &from.sin6_addr) != 1 ||
      inet_pton(AF_INET6, argv[2], &to.sin6_addr) != 1) {
    fprintf(stderr, "usage: authenticated-syn SOURCE DESTINATION PORT\n");
    return 2;
  }
  uint16_t port = (uint16_t)atoi(argv[3]);
  /* Next header, length in words of 4 bytes less 2, reserved, index, sequence number, 12 bytes of value. */
  uint8_t packet[AH_BYTES + TCP_BYTES] = {TCP, AH_BYTES / 4 - 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  uint8_t *tcp = packet + AH_BYTES;
  uint16_t ports[2] = {htons(SOURCE_PORT), htons(port)};
  memcpy(tcp, ports, sizeof ports);
  tcp[7] = 1;         /* sequence number */
  tcp[12] = 5 << 4;   /* header of 5 words */
  tcp[13] = 0x02;     /* SYN */
  tcp[14] = 0xff;     /* window */
  uint16_t sum = htons(checksum(&from.sin6_addr, &to.sin6_addr, tcp));
  memcpy(tcp + 16, &sum, sizeof sum);
  int fd = socket(AF_INET6, SOCK_RAW, AUTHENTICATION);
  if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
      sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to) != (ssize_t)sizeof packet) {
    perror("authenticated-syn");
    return 1;
  }
  close(fd);
  return 0;
}
