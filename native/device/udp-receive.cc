#include "device/udp-receive.h"

#include <cerrno>
#include <cstring>

namespace weft {
namespace {

// What the control data of a message says.
struct Told {
  uint32_t segment = 0;
  uint32_t tos = 0;
};

// The int of an item of control data; 0 where it is none.
uint32_t intOf(cmsghdr* header) {
  int value = 0;
  if (header->cmsg_len < CMSG_LEN(sizeof value)) return 0;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value > 0 ? static_cast<uint32_t>(value) : 0;
}

Told toldBy(msghdr* message) {
  Told told;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) told.segment = intOf(header);
    // IPv4 tells one byte, IPv6 an int.
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) told.tos = *CMSG_DATA(header);
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) told.tos = intOf(header) & 0xff;
  }
  return told;
}

void describe(uint32_t* out, uint32_t length, const Told& told, const SocketAddress& from) {
  std::memset(out, 0, UdpBatch::kWords * sizeof *out);
  out[0] = length;
  out[1] = told.segment;
  out[2] = from.port();
  out[7] = told.tos;
  if (from.family() == AF_INET) {
    out[3] = ntohl(from.v4.sin_addr.s_addr);
    return;
  }
  uint32_t address[4];
  std::memcpy(address, &from.v6.sin6_addr, sizeof address);
  for (int word = 0; word < 4; word++) out[3 + word] = ntohl(address[word]);
}

// One recvmmsg into the slots from `first`; as recvmmsg answers.
int receiveSome(int fd, uint8_t* buffer, uint32_t* words, int first, size_t* bytes) {
  constexpr int count = UdpBatch::kMessagesAtOnce;
  mmsghdr messages[count];
  iovec parts[count];
  SocketAddress from[count];
  alignas(cmsghdr) char control[count][2 * CMSG_SPACE(sizeof(int))];
  std::memset(messages, 0, sizeof messages);
  for (int i = 0; i < count; i++) {
    parts[i] = {buffer + static_cast<size_t>(first + i) * UdpBatch::kSlotBytes, UdpBatch::kSlotBytes};
    msghdr& header = messages[i].msg_hdr;
    header.msg_name = &from[i].any;
    header.msg_namelen = from[i].length;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    header.msg_control = control[i];
    header.msg_controllen = sizeof control[i];
  }
  int got = ::recvmmsg(fd, messages, count, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < got; i++) {
    uint32_t* out = words + (first + i) * UdpBatch::kWords;
    describe(out, messages[i].msg_len, toldBy(&messages[i].msg_hdr), from[i]);
    *bytes += messages[i].msg_len;
  }
  return got;
}

}  // namespace

UdpBatch receiveUdp(const UdpSocket& socket, uint8_t* buffer, uint32_t* words) {
  UdpBatch batch;
  size_t bytes = 0;
  while (batch.count + UdpBatch::kMessagesAtOnce <= UdpBatch::kMessages && bytes < UdpBatch::kBatchBytes) {
    int got = receiveSome(socket.fd(), buffer, words, batch.count, &bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) batch.error = errno;
    if (got <= 0) break;
    batch.count += got;
    if (got < UdpBatch::kMessagesAtOnce) break;  // the socket is empty
  }
  return batch;
}

}  // namespace weft
