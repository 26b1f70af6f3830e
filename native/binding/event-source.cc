#include "binding/event-source.h"

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

}  // namespace weft
