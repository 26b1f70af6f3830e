// UDP sockets that move datagrams in batches: one call sends a run of equal datagrams (UDP_SEGMENT), one call
// receives several messages (recvmmsg), each perhaps a run of datagrams that the kernel left together (UDP_GRO).
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "support.h"

// Newer than some C libraries' headers; both are in Linux since 5.0.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace weft {
namespace {

// One wake-up reads at most this many messages, or starts no further read past this many bytes, so that a flood
// leaves the event loop to the TUN in between.
constexpr int kMessages = 32;
constexpr int kMessagesAtOnce = 8;
constexpr size_t kBatchBytes = 256 * 1024;
constexpr size_t kSlotBytes = 65536;
constexpr size_t kBufferBytes = kMessages * kSlotBytes;
// Of each message: length, segment size (0: one datagram), port, address as 4 words in network order (IPv4 in the
// first, the others 0).
constexpr int kWords = 7;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Reads address bytes (4 or 16, as `family` has) and a port. 0 where they do not fit together.
socklen_t makeAddress(int family, const uint8_t* bytes, size_t length, int64_t port, SocketAddress* out) {
  std::memset(out, 0, sizeof *out);
  if (family == AF_INET && length == 4) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(static_cast<uint16_t>(port));
    std::memcpy(&out->v4.sin_addr, bytes, 4);
    return sizeof out->v4;
  }
  if (family == AF_INET6 && length == 16) {
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(static_cast<uint16_t>(port));
    std::memcpy(&out->v6.sin6_addr, bytes, 16);
    return sizeof out->v6;
  }
  return 0;
}

// Sends `length` bytes as datagrams of `segment` bytes, the last may be shorter. Bytes or −errno.
ssize_t sendSegments(int fd, const SocketAddress& to, socklen_t toLength, const uint8_t* data, size_t length,
                     uint16_t segment) {
  iovec part = {const_cast<uint8_t*>(data), length};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
  msghdr message = {};
  message.msg_name = const_cast<sockaddr*>(&to.any);
  message.msg_namelen = toLength;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (length > segment) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

// The size of the datagrams in a message, from its control data; 0 where it is a single one.
uint32_t segmentOf(msghdr* message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(header), sizeof size);
    return size > 0 ? static_cast<uint32_t>(size) : 0;
  }
  return 0;
}

class Udp final : public Source {
 public:
  static const napi_type_tag kTag;

  Udp(napi_env env, Descriptor descriptor, int family)
      : Source(env), descriptor_(static_cast<Descriptor&&>(descriptor)), family_(family) {}

  int fd() const { return descriptor_.get(); }
  int family() const { return family_; }
  bool started() const { return polling_ || closed_; }

  // Creates the batch buffers and begins to read. 0 or an errno.
  int start(napi_ref self, napi_ref onBatch, napi_ref onWritable, napi_ref onError) {
    int failed = createBuffers();
    if (failed != 0) return failed;
    poll_.data = this;
    failed = uv_poll_init(eventLoop(env()), &poll_, fd());
    if (failed != 0) return -failed;
    self_ = self;
    onBatch_ = onBatch;
    onWritable_ = onWritable;
    onError_ = onError;
    polling_ = true;
    hold();
    opened("weft:udp");
    watch(UV_READABLE);
    return 0;
  }

  // Calls onWritable once, when the socket takes datagrams again. Until the socket is started that never happens.
  void awaitWritable() {
    if (polling_ && !closed_) watch(UV_READABLE | UV_WRITABLE);
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    if (polling_) {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
        Udp* udp = static_cast<Udp*>(handle->data);
        udp->closed();
        udp->release();
      });
    }
    for (napi_ref* ref : {&onBatch_, &onWritable_, &onError_, &buffer_, &words_, &self_}) {
      if (*ref != nullptr) napi_delete_reference(env(), *ref);
      *ref = nullptr;
    }
    descriptor_.reset();
  }

 private:
  ~Udp() override = default;

  // The buffers belong to JavaScript, so what it still holds after close() stays valid memory.
  int createBuffers() {
    void* at = nullptr;
    napi_value memory = nullptr;
    napi_value array = nullptr;
    if (napi_create_arraybuffer(env(), kBufferBytes, &at, &memory) != napi_ok) return ENOMEM;
    napi_create_typedarray(env(), napi_uint8_array, kBufferBytes, memory, 0, &array);
    napi_create_reference(env(), array, 1, &buffer_);
    constexpr size_t words = kMessages * kWords;
    if (napi_create_arraybuffer(env(), words * sizeof(uint32_t), &at, &memory) != napi_ok) return ENOMEM;
    napi_create_typedarray(env(), napi_uint32_array, words, memory, 0, &array);
    napi_create_reference(env(), array, 1, &words_);
    return 0;
  }

  // The memory of one of our arrays. Asked each time: had JavaScript detached it, the length would be 0.
  template <class T>
  T* memory(napi_ref ref, size_t expected, napi_value* value) {
    size_t length = 0;
    void* data = nullptr;
    napi_typedarray_type type{};
    if (napi_get_reference_value(env(), ref, value) != napi_ok || *value == nullptr ||
        napi_get_typedarray_info(env(), *value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
        length != expected) {
      return nullptr;
    }
    return static_cast<T*>(data);
  }

  void watch(int wanted) {
    uv_poll_start(&poll_, wanted, [](uv_poll_t* handle, int status, int events) {
      static_cast<Udp*>(handle->data)->ready(status, events);
    });
  }

  void ready(int status, int events) {
    Scope scope(env());
    hold();
    if (status == 0 && (events & UV_WRITABLE) != 0) {
      watch(UV_READABLE);
      call(onWritable_, 0, nullptr);
    }
    // What is wrong with one datagram or for a moment (ENOMEM, an ICMP error) is told, and the socket reads on.
    int error = status < 0 ? -status : closed_ || (events & UV_READABLE) == 0 ? 0 : drain();
    if (error != 0 && !closed_) {
      napi_value value = number(env(), error);
      call(onError_, 1, &value);
    }
    release();
  }

  // Reads what is there, up to a batch, and hands it over. 0 or an errno.
  int drain() {
    napi_value values[3] = {};
    auto* buffer = memory<uint8_t>(buffer_, kBufferBytes, &values[0]);
    auto* words = memory<uint32_t>(words_, kMessages * kWords, &values[1]);
    if (buffer == nullptr || words == nullptr) return EFAULT;
    int count = 0;
    size_t bytes = 0;
    int error = 0;
    while (count + kMessagesAtOnce <= kMessages && bytes < kBatchBytes) {
      int got = receive(buffer, words, count, &bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno != EAGAIN) error = errno;
      if (got <= 0) break;
      count += got;
      if (got < kMessagesAtOnce) break;  // the socket is empty
    }
    if (count > 0) {
      values[2] = number(env(), count);
      call(onBatch_, 3, values);
    }
    return error;
  }

  // One recvmmsg into the slots from `first`; as recvmmsg answers.
  int receive(uint8_t* buffer, uint32_t* words, int first, size_t* bytes) {
    mmsghdr messages[kMessagesAtOnce];
    iovec parts[kMessagesAtOnce];
    SocketAddress from[kMessagesAtOnce];
    alignas(cmsghdr) char control[kMessagesAtOnce][CMSG_SPACE(sizeof(int))];
    std::memset(messages, 0, sizeof messages);
    for (int i = 0; i < kMessagesAtOnce; i++) {
      parts[i] = {buffer + static_cast<size_t>(first + i) * kSlotBytes, kSlotBytes};
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = &from[i];
      header.msg_namelen = sizeof from[i];
      header.msg_iov = &parts[i];
      header.msg_iovlen = 1;
      header.msg_control = control[i];
      header.msg_controllen = sizeof control[i];
    }
    int got = ::recvmmsg(fd(), messages, kMessagesAtOnce, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < got; i++) {
      uint32_t* out = words + (first + i) * kWords;
      std::memset(out, 0, kWords * sizeof *out);
      out[0] = messages[i].msg_len;
      out[1] = segmentOf(&messages[i].msg_hdr);
      if (from[i].any.sa_family == AF_INET) {
        out[2] = ntohs(from[i].v4.sin_port);
        out[3] = ntohl(from[i].v4.sin_addr.s_addr);
      } else {
        out[2] = ntohs(from[i].v6.sin6_port);
        uint32_t address[4];
        std::memcpy(address, &from[i].v6.sin6_addr, sizeof address);
        for (int word = 0; word < 4; word++) out[3 + word] = ntohl(address[word]);
      }
      *bytes += messages[i].msg_len;
    }
    return got;
  }

  Descriptor descriptor_;
  const int family_;
  uv_poll_t poll_ = {};
  bool polling_ = false;
  bool closed_ = false;
  napi_ref onBatch_ = nullptr;
  napi_ref onWritable_ = nullptr;
  napi_ref onError_ = nullptr;
  napi_ref buffer_ = nullptr;
  napi_ref words_ = nullptr;
  napi_ref self_ = nullptr;  // keeps the external alive while we poll
};

const napi_type_tag Udp::kTag = {0x5765667455647031, 0x4d1f60b8c37ae925};

// A bound socket of IPv4 alone or IPv6 alone. 0, or the errno with the call that said it.
int openSocket(int family, const SocketAddress& at, socklen_t length, Descriptor* out, const char** syscall) {
  *syscall = "socket";
  Descriptor descriptor(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.valid()) return errno;
  int one = 1;
  *syscall = "setsockopt IPV6_V6ONLY";
  if (family == AF_INET6 && ::setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return errno;
  }
  *syscall = "bind";
  if (::bind(descriptor.get(), &at.any, length) != 0) return errno;
  *out = static_cast<Descriptor&&>(descriptor);
  return 0;
}

int boundPort(int fd) {
  SocketAddress at = {};
  socklen_t length = sizeof at;
  if (::getsockname(fd, &at.any, &length) != 0) return 0;
  return ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
}

// Sends three datagrams over the loopback as one, and looks whether they arrive as they should. 1: they do. 0: they
// do not. −1: nothing could be sent or came (no loopback here), so nothing is known.
int segmentationWorks() {
  SocketAddress at = {};
  at.v4.sin_family = AF_INET;
  at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Descriptor from;
  Descriptor to;
  const char* syscall = "";
  if (openSocket(AF_INET, at, sizeof at.v4, &from, &syscall) != 0) return -1;
  if (openSocket(AF_INET, at, sizeof at.v4, &to, &syscall) != 0) return -1;
  at.v4.sin_port = htons(static_cast<uint16_t>(boundPort(to.get())));
  constexpr size_t length = 250;
  constexpr size_t segment = 100;
  uint8_t sent[length];
  for (size_t i = 0; i < length; i++) sent[i] = static_cast<uint8_t>(i * 7);
  ssize_t wrote = sendSegments(from.get(), at, sizeof at.v4, sent, length, segment);
  if (wrote < 0) return wrote == -ENETUNREACH || wrote == -EPERM ? -1 : 0;
  size_t offset = 0;
  while (offset < length) {
    uint8_t received[kSlotBytes];
    pollfd wait = {to.get(), POLLIN, 0};
    if (::poll(&wait, 1, 50) != 1) return offset == 0 ? -1 : 0;
    ssize_t got = ::recv(to.get(), received, sizeof received, MSG_DONTWAIT);
    size_t expected = length - offset < segment ? length - offset : segment;
    if (got != static_cast<ssize_t>(expected) || std::memcmp(received, sent + offset, expected) != 0) return 0;
    offset += expected;
  }
  return 1;
}

// udpOpen(family 4|6, address bytes, port) → {handle, fd, port, segments, joins}
// `segments`: several datagrams may be sent by one call; `joins`: several may come as one message.
napi_value udpOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t family = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  int64_t port = 0;
  if (!arguments.integer(0, 4, 6, &family) || !arguments.bytes(1, &bytes, &length) ||
      !arguments.integer(2, 0, 65535, &port)) {
    return nullptr;
  }
  const int domain = family == 4 ? AF_INET : AF_INET6;
  SocketAddress at;
  socklen_t atLength = makeAddress(domain, bytes, length, port, &at);
  if (atLength == 0) return throwSystemError(env, EINVAL, "bind");
  Descriptor descriptor;
  const char* syscall = "";
  int failed = openSocket(domain, at, atLength, &descriptor, &syscall);
  if (failed != 0) return throwSystemError(env, failed, syscall);
  const int fd = descriptor.get();
  int off = 0;
  int on = 1;
  // Segments of 0 bytes mean none; the kernel that knows the option takes it.
  const bool segments = ::setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof off) == 0 && segmentationWorks() != 0;
  const bool joins = ::setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
  napi_value handle = makeHandle(env, new Udp(env, static_cast<Descriptor&&>(descriptor), domain));
  if (handle == nullptr) return nullptr;
  napi_value out = nullptr;
  napi_create_object(env, &out);
  setProperty(env, out, "handle", handle);
  setProperty(env, out, "fd", number(env, fd));
  setProperty(env, out, "port", number(env, boundPort(fd)));
  setProperty(env, out, "segments", boolean(env, segments));
  setProperty(env, out, "joins", boolean(env, joins));
  return out;
}

// udpStart(handle, onBatch, onWritable, onError)
napi_value udpStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  if (udp->started()) return throwSystemError(env, EALREADY, "start");
  napi_ref refs[4] = {};
  int failed = 0;
  for (size_t i = 1; i < 4 && failed == 0; i++) failed = arguments.function(i, &refs[i]) ? 0 : EINVAL;
  if (failed == 0) {
    napi_create_reference(env, arguments.raw(0), 1, &refs[0]);
    failed = udp->start(refs[0], refs[1], refs[2], refs[3]);
    if (failed == 0) return undefined(env);
    throwSystemError(env, failed, "start");
  }
  for (napi_ref ref : refs) {
    if (ref != nullptr) napi_delete_reference(env, ref);
  }
  return nullptr;
}

// udpSend(handle, address bytes, port, data, length, segment) → bytes sent or −errno. Sends data[0, length).
napi_value udpSend(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  const uint8_t* address = nullptr;
  size_t addressLength = 0;
  int64_t port = 0;
  const uint8_t* data = nullptr;
  size_t available = 0;
  int64_t length = 0;
  int64_t segment = 0;
  if (udp == nullptr || !arguments.bytes(1, &address, &addressLength) || !arguments.integer(2, 1, 65535, &port) ||
      !arguments.bytes(3, &data, &available) ||
      !arguments.integer(4, 0, static_cast<int64_t>(available), &length) ||
      !arguments.integer(5, 0, 65535, &segment)) {
    return nullptr;
  }
  if (udp->fd() < 0) return number(env, -EBADF);
  SocketAddress to;
  socklen_t toLength = makeAddress(udp->family(), address, addressLength, port, &to);
  if (toLength == 0) return number(env, -EAFNOSUPPORT);
  return number(env, static_cast<double>(sendSegments(udp->fd(), to, toLength, data, static_cast<size_t>(length),
                                                      static_cast<uint16_t>(segment))));
}

// udpAwaitWritable(handle)
napi_value udpAwaitWritable(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  udp->awaitWritable();
  return undefined(env);
}

// udpClose(handle)
napi_value udpClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  udp->close();
  return undefined(env);
}

}  // namespace

void bindUdp(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"udpOpen", udpOpen},
                              {"udpStart", udpStart},
                              {"udpSend", udpSend},
                              {"udpAwaitWritable", udpAwaitWritable},
                              {"udpClose", udpClose}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft
