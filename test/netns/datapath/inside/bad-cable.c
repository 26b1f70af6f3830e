/*
 * A cable between two interfaces that treats UDP badly, on purpose: it loses datagrams, brings some twice, and some late.
 *   bad-cable ONE OTHER LOST TWICE LATE SEED   shares of 10,000; SEED makes the same fates again
 * Prints "carrying", and at SIGTERM one JSON line of what it did. All but UDP passes as it came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ROOM = 66000, LATER_BY = 5, QUEUE = 16 << 20 };

/* A frame that is held back until LATER_BY others have gone, or nothing has come for a while. */
struct held {
    uint8_t bytes[ROOM];
    ssize_t length;
    int left;
};

static struct held held[2];
static long carried, lost, twice, late;
static volatile sig_atomic_t ended;
static uint64_t state;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

/* From 0 to below 10,000. */
static int chance(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)(state % 10000);
}

static int open_end(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    int size = QUEUE;
    if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

static int is_udp(const uint8_t *frame, ssize_t length) {
    if (length < 34) return 0;
    int type = frame[12] << 8 | frame[13];
    return (type == ETH_P_IP && frame[23] == 17) || (type == ETH_P_IPV6 && length >= 54 && frame[20] == 17);
}

static void pass(int fd, const uint8_t *frame, ssize_t length) {
    while (send(fd, frame, (size_t)length, 0) < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
    carried++;
}

static void let_go(int fd, struct held *one) {
    if (one->length > 0) pass(fd, one->bytes, one->length);
    one->length = 0;
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int ends[2] = {open_end(argv[1]), open_end(argv[2])};
    const int shares[3] = {atoi(argv[3]), atoi(argv[4]), atoi(argv[5])};
    state = strtoull(argv[6], NULL, 10) * 2654435761u + 1;
    struct sigaction on_end = {.sa_handler = end};
    sigaction(SIGTERM, &on_end, NULL);
    puts("carrying");
    fflush(stdout);
    static uint8_t frame[ROOM];
    while (!ended) {
        struct pollfd polls[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}};
        int ready = poll(polls, 2, 5);
        for (int side = 0; side < 2; side++) {
            int to = ends[1 - side];
            if (ready == 0) let_go(to, &held[side]);
            if (!(polls[side].revents & POLLIN)) continue;
            struct sockaddr_ll from;
            socklen_t size = sizeof from;
            ssize_t got = recvfrom(ends[side], frame, ROOM, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
            if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
            struct held *one = &held[side];
            if (one->length > 0 && --one->left == 0) let_go(to, one);
            int fate = is_udp(frame, got) ? chance() : 10000;
            if (fate < shares[0]) {
                lost++;
                continue;
            }
            if (fate < shares[0] + shares[2] && one->length == 0) {
                memcpy(one->bytes, frame, (size_t)got);
                one->length = got;
                one->left = LATER_BY;
                late++;
                continue;
            }
            pass(to, frame, got);
            if (fate >= 10000 - shares[1] && fate < 10000) {
                pass(to, frame, got);
                twice++;
            }
        }
    }
    printf("{\"carried\":%ld,\"lost\":%ld,\"twice\":%ld,\"late\":%ld}\n", carried, lost, twice, late);
    return 0;
}
