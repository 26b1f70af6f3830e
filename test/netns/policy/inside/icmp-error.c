// Sends one ICMP error about a datagram of UDP: icmp-error KIND TO SOURCE PORT DESTINATION PORT
// KIND is `unreachable` (its port) or `too-big`; SOURCE, DESTINATION and ports are those of the datagram.
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MTU = 1300, PAYLOAD = 8 };

static uint16_t checksum(const uint8_t *at, size_t length) {
  uint32_t total = 0;
  for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)(at[i] << 8 | at[i + 1]);
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return htons((uint16_t)~total);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int too_big = strcmp(argv[1], "too-big") == 0;
  int family = strchr(argv[2], ':') ? AF_INET6 : AF_INET;
  uint8_t packet[128] = {0};
  uint8_t *inner = packet + 8;
  size_t length;
  struct udphdr udp = {0};
  udp.source = htons((uint16_t)atoi(argv[4]));
  udp.dest = htons((uint16_t)atoi(argv[6]));
  udp.len = htons(sizeof udp + PAYLOAD);
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (family == AF_INET) {
    struct iphdr header = {.version = 4, .ihl = 5, .ttl = 60, .protocol = IPPROTO_UDP};
    header.tot_len = htons(sizeof header + sizeof udp + PAYLOAD);
    header.frag_off = htons(IP_DF);
    if (inet_pton(family, argv[2], &v4.sin_addr) != 1 || inet_pton(family, argv[3], &header.saddr) != 1 ||
        inet_pton(family, argv[5], &header.daddr) != 1)
      return 2;
    header.check = checksum((uint8_t *)&header, sizeof header);
    memcpy(inner, &header, sizeof header);
    memcpy(inner + sizeof header, &udp, sizeof udp);
    length = 8 + sizeof header + sizeof udp + PAYLOAD;
    struct icmphdr icmp = {.type = ICMP_DEST_UNREACH, .code = too_big ? ICMP_FRAG_NEEDED : ICMP_PORT_UNREACH};
    if (too_big) icmp.un.frag.mtu = htons(MTU);
    memcpy(packet, &icmp, sizeof icmp);
    icmp.checksum = checksum(packet, length);
    memcpy(packet, &icmp, sizeof icmp);
  } else {
    struct ip6_hdr header = {0};
    header.ip6_flow = htonl(6u << 28);
    header.ip6_plen = htons(sizeof udp + PAYLOAD);
    header.ip6_nxt = IPPROTO_UDP;
    header.ip6_hlim = 60;
    if (inet_pton(family, argv[2], &v6.sin6_addr) != 1 || inet_pton(family, argv[3], &header.ip6_src) != 1 ||
        inet_pton(family, argv[5], &header.ip6_dst) != 1)
      return 2;
    memcpy(inner, &header, sizeof header);
    memcpy(inner + sizeof header, &udp, sizeof udp);
    length = 8 + sizeof header + sizeof udp + PAYLOAD;
    // The kernel fills in the checksum.
    struct icmp6_hdr icmp = {.icmp6_type = too_big ? ICMP6_PACKET_TOO_BIG : ICMP6_DST_UNREACH,
                             .icmp6_code = too_big ? 0 : ICMP6_DST_UNREACH_NOPORT};
    if (too_big) icmp.icmp6_mtu = htonl(MTU);
    memcpy(packet, &icmp, sizeof icmp);
  }
  int fd = socket(family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
  socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
  if (fd < 0 || sendto(fd, packet, length, 0, to, size) < 0) {
    perror("icmp-error");
    return 1;
  }
  return 0;
}
