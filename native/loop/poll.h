#pragma once

#include <uv.h>

namespace weft {

// A descriptor that is registered with an event loop (libuv). It must live until its listener was told of the end.
class Poll {
 public:
  class Listener {
   public:
    // The descriptor is ready for `events` (UV_READABLE, UV_WRITABLE). `error` is 0, or EBADF where the kernel says
    // POLLERR: a read or write on the descriptor then tells why. Watching has stopped then, see resume().
    virtual void onReady(int events, int error) = 0;
    // The registration is gone after close(): nothing comes any more and the listener may be freed.
    virtual void onPollClosed() = 0;

   protected:
    ~Listener() = default;
  };

  // Registers `fd`, which must stay open until close(). 0 or an errno; after an error there is nothing to close.
  int open(uv_loop_t* loop, int fd, Listener* listener);
  // Waits for `events` from now on.
  void watch(int events);
  // Goes on waiting for the same events after an error, which libuv takes for the end of a descriptor. For a socket it
  // mostly is a message.
  void resume() { watch(events_); }
  void stop();
  // Call once. The descriptor may be closed right after.
  void close();
  bool opened() const { return opened_; }

 private:
  uv_poll_t handle_ = {};
  Listener* listener_ = nullptr;
  int events_ = 0;
  bool opened_ = false;
};

}  // namespace weft
