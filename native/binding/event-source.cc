#include "binding/event-source.h"

#include <utility>

#include "binding/values.h"

namespace weft {

uv_loop_t* eventLoop(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

void EventSource::opened(const char* name) {
  napi_async_init(env_, nullptr, text(env_, name), &context_);
  napi_add_async_cleanup_hook(
      env_, [](napi_async_cleanup_hook_handle, void* data) { static_cast<EventSource*>(data)->close(); }, this,
      &hook_);
}

void EventSource::closed() {
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  context_ = nullptr;
  if (hook_ != nullptr) napi_remove_async_cleanup_hook(hook_);
  hook_ = nullptr;
}

void EventSource::call(const Reference& callback, size_t count, const napi_value* values) {
  napi_value function = callback.value();
  if (function == nullptr) return;
  napi_value receiver = nullptr;
  napi_get_global(env_, &receiver);
  napi_make_callback(env_, context_, receiver, function, count, values, nullptr);
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (!pending) return;
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

int DescriptorSource::begin(int fd, const char* name, Reference self) {
  int failed = poll_.open(eventLoop(env()), fd, this);
  if (failed != 0) return failed;
  self_ = std::move(self);
  hold();
  opened(name);
  poll_.watch(UV_READABLE);
  return 0;
}

void DescriptorSource::close() {
  if (closed_) return;
  closed_ = true;
  if (poll_.opened()) poll_.close();
  self_.clear();
  letGo();
}

void DescriptorSource::onReady(int events, int error) {
  Scope scope(env());
  hold();
  ready(events, error);
  release();
}

void DescriptorSource::onPollClosed() {
  closed();
  release();
}

}  // namespace weft
