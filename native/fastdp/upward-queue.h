#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "fastdp/peer.h"
#include "fastdp/session.h"

namespace weft {

// What the lanes leave to the sleeve. Bytes follow it where there are any.
struct UpwardRecord {
  enum Kind : uint32_t {
    kFrame = 0,      // of the TUN, with its virtio header
    kDatagram = 1,   // as it came: no data, of an unknown session, or not to be opened here
    kOpened = 2,     // a packet of session `index`, opened and its tag left behind it; `value`: 1 where it is
                     // the newest and came from elsewhere than its peer is known to be
    kWorn = 3,       // session `index` nears or reached a limit
    kTunError = 4,   // the TUN can be read no more; `value`: errno
    kSocketError = 5,  // the sockets can be read no more; `value`: errno
    kDropped = 6,      // the counts of Drops are to be taken
    kBusy = 7,         // much goes to peer number `index`; told once until fastPorts is called for it
  };
  Kind kind = kFrame;
  uint32_t family = 0;  // 4 or 6: where it came from
  Origin from;
  uint32_t tos = 0;
  uint32_t index = 0;
  uint32_t value = 0;
};

// Records on their way from the lanes to the event loop, which is woken when there are some. Bounded: what finds no room
// is dropped, and counted by the caller. Datagrams of strangers get half of the room, so that a flood of them leaves the
// rest to what is known to come from peers.
class UpwardQueue {
 public:
  // Words of a record for JavaScript:
  //
  //   0      1        2        3        4 … 8                      9     10      11
  //   | kind | offset | length | family | port, address (4 words) | tos | index | value |
  static constexpr size_t kWords = 12;
  static constexpr size_t kMaxRecords = 4096;
  static constexpr size_t kMaxBytes = 4 * 1024 * 1024;
  // Memory that an empty queue keeps.
  static constexpr size_t kKeptBytes = 256 * 1024;

  class Waker {
   public:
    // Called on any thread.
    virtual void wake() = 0;

   protected:
    ~Waker() = default;
  };
  explicit UpwardQueue(Waker* waker) : waker_(waker) {}

  // False where there is no room.
  bool push(const UpwardRecord& record, const uint8_t* bytes, size_t length);
  // Tells how worn a session is; where there is no room the lane will find it again.
  void tellWear(Session* session);
  // Takes the oldest records, as many as there is room for, at most `most`. How many.
  size_t take(uint32_t* words, size_t most, uint8_t* bytes, size_t room);

 private:
  struct Entry {
    UpwardRecord record;
    uint32_t length;
  };

  Waker* waker_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<uint8_t> bytes_;
  // What of them was taken.
  size_t takenEntries_ = 0;
  size_t takenBytes_ = 0;
};

}  // namespace weft
