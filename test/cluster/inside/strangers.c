// Datagrams of strangers to a tunnel port, each from another address of the subnet and another port: noise, data of sessions
// that nobody has, and handshakes that nobody began, in turn.
//   strangers ADDRESS PORT PER_SECOND SECONDS     prints how many it sent
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { kBatch = 32, kLongest = 256 };
enum { kNoise = 0, kData = 1, kInitiation = 2, kKinds = 3 };
static const int kLength[kKinds] = {100, 200, 204};

static uint64_t state = 88172645463325252ull;
static uint64_t next(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

struct datagram {
    struct iphdr ip;
    struct udphdr udp;
    uint8_t bytes[kLongest];
};

static void fill(struct datagram *out, struct in_addr to, uint16_t port, int kind) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < kLength[kind]; i++) out->bytes[i] = (uint8_t)next();
    if (kind != kNoise) memset(out->bytes, 0, 4);
    if (kind == kNoise) out->bytes[0] |= 0x80;
    if (kind == kData) out->bytes[0] = 4;
    if (kind == kInitiation) out->bytes[0] = 1;
    out->ip.version = 4, out->ip.ihl = 5, out->ip.ttl = 64, out->ip.protocol = IPPROTO_UDP;
    out->ip.daddr = to.s_addr;
    out->ip.saddr = htonl((ntohl(to.s_addr) & 0xffffff00) | (140 + next() % 100));
    out->udp.source = htons((uint16_t)(1024 + next() % 60000)), out->udp.dest = htons(port);
    out->udp.len = htons((uint16_t)(sizeof out->udp + (size_t)kLength[kind]));
}

int main(int argc, char **argv) {
    struct in_addr to;
    if (argc != 5 || inet_pton(AF_INET, argv[1], &to) != 1) {
        fprintf(stderr, "usage: strangers ADDRESS PORT PER_SECOND SECONDS\n");
        return 2;
    }
    const double rate = atof(argv[3]);
    const double seconds = atof(argv[4]);
    const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) return perror("socket"), 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = to};
    static struct datagram datagrams[kBatch];
    static struct iovec parts[kBatch];
    static struct mmsghdr messages[kBatch];
    long sent = 0;
    const double begun = now();
    for (double t = begun; t < begun + seconds; t = now()) {
        if ((double)sent > (t - begun) * rate) {
            nanosleep(&(struct timespec){0, 500000}, NULL);
            continue;
        }
        for (int i = 0; i < kBatch; i++) {
            const int kind = i % kKinds;
            fill(&datagrams[i], to, (uint16_t)atoi(argv[2]), kind);
            parts[i] = (struct iovec){&datagrams[i], sizeof(struct iphdr) + sizeof(struct udphdr) + (size_t)kLength[kind]};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &at, .msg_namelen = sizeof at, .msg_iov = &parts[i], .msg_iovlen = 1};
        }
        const int got = sendmmsg(fd, messages, kBatch, 0);
        if (got > 0) sent += got;
    }
    printf("%ld\n", sent);
    return 0;
}
