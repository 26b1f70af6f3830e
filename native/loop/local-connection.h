#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/descriptor.h"
#include "loop/poll.h"

namespace weft {

class LocalServer;

// One client of a LocalServer: reading its request, waiting for the answer, writing it, gone. Both are framed alike:
//
//   0                 4
//   | length (u32 LE) | length bytes …          descriptors ride on the first byte (SCM_RIGHTS, at most 4)
//
// It frees itself once it has finished.
class LocalConnection final : private Poll::Listener {
 public:
  static constexpr size_t kMaxRequest = 1024 * 1024;
  static constexpr size_t kMaxAnswer = 16 * 1024 * 1024;
  static constexpr size_t kMaxDescriptors = 4;

  LocalConnection(LocalServer* server, uint64_t id, Descriptor descriptor, const ucred& peer);
  ~LocalConnection() = default;

  // Begins to read. False where the event loop does not take it: the caller frees it then.
  bool open();
  void answer(const uint8_t* data, size_t length);
  // Closes it, at whatever stage. Harmless when repeated.
  void finish();
  bool waiting() const { return state_ == State::kWaiting; }
  bool reading() const { return state_ == State::kReading; }
  // Reads a request that was not complete within `ms` of when the client was accepted.
  bool silentFor(uint64_t ms, uint64_t now) const { return reading() && now >= openedAt_ + ms; }
  uint64_t id() const { return id_; }
  bool expired(uint64_t now) const { return now >= deadline_; }

 private:
  enum class State { kReading, kWaiting, kWriting, kGone };

  void onReady(int events, int error) override;
  void onPollClosed() override;
  void read();
  void write();
  // The client has closed its socket altogether, so that no answer can reach it.
  bool hungUp() const;
  // Takes the descriptors out of a received message. False when the sender broke the rules.
  bool takeDescriptors(msghdr* message);
  void complete();

  LocalServer* server_;
  uint64_t id_;
  Descriptor descriptor_;
  ucred peer_;
  Poll poll_;
  State state_ = State::kReading;
  uint64_t openedAt_ = 0;
  uint64_t deadline_ = 0;
  std::vector<uint8_t> bytes_;  // the request with its prefix, then the answer with its prefix
  size_t written_ = 0;
  std::vector<Descriptor> received_;
};

}  // namespace weft
