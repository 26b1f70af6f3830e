#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>

#include "binding/reference.h"
#include "loop/held.h"
#include "loop/poll.h"

namespace weft {

uv_loop_t* eventLoop(napi_env env);

// A native object that calls JavaScript from the event loop: the async context of its callbacks, and a hook that closes
// it when the environment ends. Derive, call `opened()` once, and `closed()` when the last libuv handle is gone.
class EventSource : public Held {
 public:
  explicit EventSource(napi_env env) : env_(env) {}
  napi_env env() const { return env_; }

  // Stops everything; further calls do nothing.
  virtual void close() = 0;
  // The external was collected.
  void collected() { close(); }

 protected:
  // A handle scope for the duration of a libuv callback.
  class Scope {
   public:
    explicit Scope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
    ~Scope() { napi_close_handle_scope(env_, scope_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    napi_env env_;
    napi_handle_scope scope_ = nullptr;
  };

  void opened(const char* name);
  void closed();
  // Calls `callback` with microtasks run afterwards; what it throws becomes an uncaught exception.
  void call(const Reference& callback, size_t count, const napi_value* values);

 private:
  napi_env env_;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

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
