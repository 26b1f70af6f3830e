/*
 * Sends frames that no socket of a pod would: a process in a pod with CAP_NET_RAW can.
 *   raw-frames INTERFACE arp COUNT TARGET   COUNT ARP requests for TARGET (IPv4), each from another invented sender
 *   raw-frames INTERFACE ip SOURCE DESTINATION   one UDP datagram (IPv4) to the host's end, port 7778
 * Prints how many it sent.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint16_t checksum(const uint8_t *bytes, size_t length) {
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2) sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    if (fd < 0) return fail("socket");
    struct ifreq request = {0};
    strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) return fail("hardware address");
    uint8_t mac[6];
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1]), .sll_halen = 6};
    memset(to.sll_addr, 0xff, 6);

    uint8_t frame[64] = {0};
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    int sent = 0;
    if (strcmp(argv[2], "arp") == 0) {
        const uint8_t header[10] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
        memcpy(frame + 12, header, 10);
        memcpy(frame + 22, mac, 6);
        if (inet_pton(AF_INET, argv[4], frame + 38) != 1) return 2;
        for (int i = 0; i < atoi(argv[3]); i++) {
            const uint8_t sender[4] = {203, 0, 113, (uint8_t)(i + 1)};
            memcpy(frame + 28, sender, 4);
            sent += sendto(fd, frame, 60, 0, (struct sockaddr *)&to, sizeof to) == 60;
        }
    } else {
        const uint8_t header[14] = {0x08, 0x00, 0x45, 0, 0, 28 + 4, 0, 0, 0, 0, 64, 17, 0, 0};
        memcpy(frame + 12, header, 14);
        if (inet_pton(AF_INET, argv[3], frame + 26) != 1 || inet_pton(AF_INET, argv[4], frame + 30) != 1) return 2;
        const uint16_t sum = checksum(frame + 14, 20);
        frame[24] = (uint8_t)(sum >> 8);
        frame[25] = (uint8_t)sum;
        const uint8_t udp[12] = {7778 >> 8, 7778 & 0xff, 7778 >> 8, 7778 & 0xff, 0, 12, 0, 0, 'r', 'a', 'w', '!'};
        memcpy(frame + 34, udp, 12);
        sent = sendto(fd, frame, 60, 0, (struct sockaddr *)&to, sizeof to) == 60;
    }
    printf("%d\n", sent);
    close(fd);
    return 0;
}
