#pragma once

#include "binding/event-source.h"
#include "loop/poll.h"

namespace weft {

// An event source that is one descriptor on the event loop.
class DescriptorSource : public EventSource, private Poll::Listener {
 public:
  explicit DescriptorSource(napi_env env) : EventSource(env) {}

  // Once it was started, or closed, it cannot be started any more.
  bool started() const { return poll_.opened() || closed_; }
  void close() final;

 protected:
  // Waits for the descriptor to be readable from now on; `self` (the handle) is kept alive until close(). 0 or an errno.
  int begin(int fd, const char* name, Reference self);
  bool isClosed() const { return closed_; }
  void watch(int events) { poll_.watch(events); }
  void resume() { poll_.resume(); }
  void stop() { poll_.stop(); }

  // The descriptor is ready, as Poll::Listener says. Called within a handle scope; it may close the source.
  virtual void ready(int events, int error) = 0;
  // Part of close(): closes the descriptor and lets go of all references.
  virtual void letGo() = 0;

 private:
  void onReady(int events, int error) final;
  void onPollClosed() final;

  Poll poll_;
  bool closed_ = false;
  Reference self_;
};

}  // namespace weft
