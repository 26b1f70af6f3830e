#include "device/udp-send.h"

#include <cerrno>
#include <cstring>

namespace weft {
namespace {

// The control data of one message, built up one item after the other.
class ControlData {
 public:
  template <class T>
  void add(int level, int type, T value) {
    auto* header = reinterpret_cast<cmsghdr*>(bytes_ + used_);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    used_ += CMSG_SPACE(sizeof value);
  }
  void attachTo(msghdr* message) {
    if (used_ == 0) return;
    message->msg_control = bytes_;
    message->msg_controllen = used_;
  }

 private:
  alignas(cmsghdr) char bytes_[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int))] = {};
  size_t used_ = 0;
};

}  // namespace

ssize_t sendUdp(const UdpSocket& socket, const SocketAddress& to, const uint8_t* data, size_t length, uint16_t segment,
                uint8_t tos) {
  iovec part = {const_cast<uint8_t*>(data), length};
  ControlData control;
  msghdr message = {};
  message.msg_name = const_cast<sockaddr*>(&to.any);
  message.msg_namelen = to.length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (length > segment) control.add(SOL_UDP, UDP_SEGMENT, segment);
  if (tos != 0 && socket.family() == AF_INET) control.add(IPPROTO_IP, IP_TOS, static_cast<int>(tos));
  if (tos != 0 && socket.family() == AF_INET6) control.add(IPPROTO_IPV6, IPV6_TCLASS, static_cast<int>(tos));
  control.attachTo(&message);
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

}  // namespace weft
