#include "device/tun-device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

// Newer than Debian 12's headers; the kernel says EINVAL where it does not know them (before 6.2).
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace weft {
namespace {

constexpr unsigned kChecksumOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kUdpOffloads = TUN_F_USO4 | TUN_F_USO6;

// The most offloads this kernel grants, as TUN_F bits; 0 where it grants none.
unsigned negotiateOffloads(int fd) {
  for (unsigned wanted : {kChecksumOffloads | kUdpOffloads, kChecksumOffloads}) {
    if (::ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(wanted)) == 0) return wanted;
  }
  return 0;
}

// Sets a header of 10 bytes in little endian. False where the kernel has it otherwise.
bool setPlainHeader(int fd) {
  int size = 10;
  int littleEndian = 1;
  if (::ioctl(fd, TUNSETVNETHDRSZ, &size) != 0) return false;
  return ::ioctl(fd, TUNSETVNETLE, &littleEndian) == 0 || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
}

}  // namespace

Failure TunDevice::open(const char* name, bool vnetHeader, bool persistent, TunDevice* out) {
  TunDevice device;
  if (Failure failure = device.attach(name, vnetHeader)) return failure;
  if (vnetHeader) {
    // A persistent device keeps what its last holder set, so every setting is set again.
    device.offloads_ = setPlainHeader(device.fd()) ? negotiateOffloads(device.fd()) : 0;
    if (device.offloads_ == 0) {
      device.close();
      if (Failure failure = device.attach(name, false)) return failure;
    }
  }
  if (!device.vnetHeader_) ::ioctl(device.fd(), TUNSETOFFLOAD, 0UL);
  if (::ioctl(device.fd(), TUNSETPERSIST, persistent ? 1UL : 0UL) != 0) return {errno, "ioctl TUNSETPERSIST"};
  *out = std::move(device);
  return {};
}

Failure TunDevice::adopt(int fd, TunDevice* out) {
  TunDevice device;
  device.descriptor_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!device.valid()) return {errno, "fcntl F_DUPFD_CLOEXEC"};
  ifreq request = {};
  if (::ioctl(device.fd(), TUNGETIFF, &request) != 0) return {errno == ENOTTY ? EINVAL : errno, "ioctl TUNGETIFF"};
  const int flags = static_cast<unsigned short>(request.ifr_flags);
  if ((flags & IFF_TUN) == 0 || (flags & IFF_NO_PI) == 0) return {EINVAL, "ioctl TUNGETIFF"};
  std::memcpy(device.name_, request.ifr_name, IFNAMSIZ);
  device.name_[IFNAMSIZ - 1] = '\0';
  device.vnetHeader_ = (flags & IFF_VNET_HDR) != 0;
  if (device.vnetHeader_) {
    device.offloads_ = setPlainHeader(device.fd()) ? negotiateOffloads(device.fd()) : 0;
    if (device.offloads_ == 0) return {EINVAL, "ioctl TUNSETOFFLOAD"};
  }
  *out = std::move(device);
  return {};
}

Failure TunDevice::attach(const char* name, bool vnetHeader) {
  Descriptor descriptor(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor.valid()) return {errno, "open /dev/net/tun"};
  ifreq request = {};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (vnetHeader ? IFF_VNET_HDR : 0));
  if (::ioctl(descriptor.get(), TUNSETIFF, &request) != 0) return {errno, "ioctl TUNSETIFF"};
  std::memcpy(name_, request.ifr_name, IFNAMSIZ);
  name_[IFNAMSIZ - 1] = '\0';
  descriptor_ = std::move(descriptor);
  vnetHeader_ = vnetHeader;
  offloads_ = 0;
  return {};
}

Failure TunDevice::duplicate(TunDevice* out) const {
  Descriptor descriptor(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  if (!descriptor.valid()) return {errno, "fcntl F_DUPFD_CLOEXEC"};
  std::memcpy(out->name_, name_, IFNAMSIZ);
  out->descriptor_ = std::move(descriptor);
  out->vnetHeader_ = vnetHeader_;
  out->offloads_ = offloads_;
  return {};
}

int TunDevice::read(FrameBatch* batch) const {
  while (batch->count < kBatchFrames && batch->used < kBatchBytes) {
    ssize_t got = ::read(fd(), batch->end(), kMaxFrame);
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? 0 : errno;
    }
    if (got == 0) return 0;
    batch->add(static_cast<size_t>(got));
  }
  return 0;
}

ssize_t TunDevice::write(const uint8_t* frame, size_t length) const {
  ssize_t wrote = -1;
  do {
    wrote = ::write(fd(), frame, length);
  } while (wrote < 0 && errno == EINTR);
  return wrote < 0 ? -errno : wrote;
}

}  // namespace weft
