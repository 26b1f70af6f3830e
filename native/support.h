// What every part of the addon shares: reading arguments, errors with errno, handles, calling back into JavaScript.
//
// Rules of the addon:
// - Built without exceptions; every failure is a return value or a pending JavaScript error.
// - JavaScript holds native objects as tagged externals, so a wrong or closed handle is a TypeError, never a crash.
// - A native object lives until both its external is collected and its libuv handles are closed (`Held`).
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <cstdint>

#include "binding/reference.h"
#include "device/descriptor.h"

namespace weft {

// Counts who still needs the object: its external, each open libuv handle, each work item. Single-threaded.
class Held {
 public:
  Held() = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void hold() { holds_++; }
  void release() {
    if (--holds_ == 0) delete this;
  }

 protected:
  virtual ~Held() = default;

 private:
  unsigned holds_ = 0;
};

// -- arguments ------------------------------------------------------------------------------------------------

// The arguments of a call. A reader that finds the wrong type leaves a TypeError pending and returns false.
class Arguments {
 public:
  static constexpr size_t kMost = 8;
  Arguments(napi_env env, napi_callback_info info);

  bool integer(size_t index, int64_t least, int64_t most, int64_t* out) const;
  // Copies a string of at most `size - 1` UTF-8 bytes without NUL in it.
  bool text(size_t index, char* out, size_t size) const;
  // The bytes of a Uint8Array; valid until control returns to JavaScript.
  bool bytes(size_t index, const uint8_t** data, size_t* length) const;
  bool function(size_t index, napi_ref* out) const;
  bool function(size_t index, Reference* out) const;
  napi_value raw(size_t index) const { return index < count_ ? values_[index] : nullptr; }
  bool wrong(size_t index, const char* expected) const;

 private:
  napi_env env_;
  size_t count_ = kMost;
  napi_value values_[kMost] = {};
};

// -- values and errors ----------------------------------------------------------------------------------------

napi_value number(napi_env env, double value);
napi_value boolean(napi_env env, bool value);
napi_value undefined(napi_env env);
// A Uint8Array of its own memory with a copy of `data`; null with an error pending when memory is short.
napi_value bytesValue(napi_env env, const void* data, size_t length);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);

// An Error with `code` ("EPERM"), `errno` (1) and `syscall` as Node's own system errors have.
napi_value systemError(napi_env env, int error, const char* syscall);
// Throws it; returns null, so a binding can `return throwSystemError(…)`.
napi_value throwSystemError(napi_env env, int error, const char* syscall);

// -- handles --------------------------------------------------------------------------------------------------

napi_value wrapHandle(napi_env env, Held* object, const napi_type_tag& tag, napi_finalize finalize);
void* unwrapHandle(napi_env env, napi_value value, const napi_type_tag& tag);

// Wraps `object` (one hold is taken for the external). T needs `static const napi_type_tag kTag` and `collected()`.
template <class T>
napi_value makeHandle(napi_env env, T* object) {
  return wrapHandle(env, object, T::kTag, [](napi_env, void* data, void*) {
    T* held = static_cast<T*>(static_cast<Held*>(data));
    held->collected();
    held->release();
  });
}

// The native object of a handle; null with a TypeError pending for anything else.
template <class T>
T* readHandle(napi_env env, napi_value value) {
  return static_cast<T*>(static_cast<Held*>(unwrapHandle(env, value, T::kTag)));
}

// -- calling back ---------------------------------------------------------------------------------------------

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

// An event source of ours: the async context of its callbacks, and a hook that closes it when the environment ends.
// Derive, call `opened()` once, and `closed()` when the last libuv handle is gone.
class Source : public Held {
 public:
  explicit Source(napi_env env) : env_(env) {}
  napi_env env() const { return env_; }

  // Stops everything; further calls do nothing.
  virtual void close() = 0;
  // The external was collected.
  void collected() { close(); }

 protected:
  void opened(const char* name);
  void closed();
  // Calls `callback` with microtasks run afterwards; what it throws becomes an uncaught exception.
  void call(napi_ref callback, size_t count, const napi_value* values);

 private:
  napi_env env_;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

uv_loop_t* eventLoop(napi_env env);

// -- parts ----------------------------------------------------------------------------------------------------

struct Binding {
  const char* name;
  napi_callback call;
};

void bindTun(napi_env env, napi_value exports);
void bindUdp(napi_env env, napi_value exports);
void bindNetlink(napi_env env, napi_value exports);
void bindNetlinkEvents(napi_env env, napi_value exports);
void bindLocalSocket(napi_env env, napi_value exports);
void bindSocketOptions(napi_env env, napi_value exports);
void bindAll(napi_env env, napi_value exports, const Binding* bindings, size_t count);

}  // namespace weft
