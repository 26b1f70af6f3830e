#include "support.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace weft {

// -- arguments ------------------------------------------------------------------------------------------------

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) count_ = 0;
  if (count_ > kMost) count_ = kMost;
}

bool Arguments::wrong(size_t index, const char* expected) const {
  char message[96];
  std::snprintf(message, sizeof message, "argument %zu must be %s", index, expected);
  napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool Arguments::integer(size_t index, int64_t least, int64_t most, int64_t* out) const {
  double value = 0;
  if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok ||
      std::trunc(value) != value || value < static_cast<double>(least) || value > static_cast<double>(most)) {
    return wrong(index, "an integer in range");
  }
  *out = static_cast<int64_t>(value);
  return true;
}

bool Arguments::text(size_t index, char* out, size_t size) const {
  size_t length = 0;
  if (index >= count_ || napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok ||
      length == 0 || length >= size) {
    return wrong(index, "a string of permitted length");
  }
  napi_get_value_string_utf8(env_, values_[index], out, size, &length);
  if (std::strlen(out) != length) return wrong(index, "a string without NUL");
  return true;
}

bool Arguments::bytes(size_t index, const uint8_t** data, size_t* length) const {
  napi_typedarray_type type{};
  void* at = nullptr;
  if (index >= count_ ||
      napi_get_typedarray_info(env_, values_[index], &type, length, &at, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return wrong(index, "a Uint8Array");
  }
  *data = static_cast<const uint8_t*>(at);
  return true;
}

bool Arguments::function(size_t index, napi_ref* out) const {
  napi_valuetype type = napi_undefined;
  if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function ||
      napi_create_reference(env_, values_[index], 1, out) != napi_ok) {
    return wrong(index, "a function");
  }
  return true;
}

bool Arguments::function(size_t index, Reference* out) const {
  napi_valuetype type = napi_undefined;
  if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function ||
      !out->set(env_, values_[index])) {
    return wrong(index, "a function");
  }
  return true;
}

// -- values and errors ----------------------------------------------------------------------------------------

napi_value number(napi_env env, double value) {
  napi_value out = nullptr;
  napi_create_double(env, value, &out);
  return out;
}

napi_value boolean(napi_env env, bool value) {
  napi_value out = nullptr;
  napi_get_boolean(env, value, &out);
  return out;
}

napi_value undefined(napi_env env) {
  napi_value out = nullptr;
  napi_get_undefined(env, &out);
  return out;
}

napi_value bytesValue(napi_env env, const void* data, size_t length) {
  void* at = nullptr;
  napi_value buffer = nullptr;
  napi_value out = nullptr;
  if (napi_create_arraybuffer(env, length, &at, &buffer) != napi_ok) return nullptr;
  if (length > 0) std::memcpy(at, data, length);
  if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &out) != napi_ok) return nullptr;
  return out;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value systemError(napi_env env, int error, const char* syscall) {
  const char* name = strerrorname_np(error);
  char unknown[32];
  if (name == nullptr) {
    std::snprintf(unknown, sizeof unknown, "E%d", error);
    name = unknown;
  }
  const char* description = strerrordesc_np(error);
  char message[160];
  std::snprintf(message, sizeof message, "%s: %s, %s", name, description ? description : "unknown error", syscall);
  napi_value code = nullptr;
  napi_value text = nullptr;
  napi_value syscallText = nullptr;
  napi_value out = nullptr;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &syscallText);
  napi_create_error(env, code, text, &out);
  setProperty(env, out, "errno", number(env, error));
  setProperty(env, out, "syscall", syscallText);
  return out;
}

napi_value throwSystemError(napi_env env, int error, const char* syscall) {
  napi_throw(env, systemError(env, error, syscall));
  return nullptr;
}

// -- handles --------------------------------------------------------------------------------------------------

napi_value wrapHandle(napi_env env, Held* object, const napi_type_tag& tag, napi_finalize finalize) {
  object->hold();
  napi_value out = nullptr;
  if (napi_create_external(env, object, finalize, nullptr, &out) != napi_ok) {
    object->release();
    napi_throw_error(env, nullptr, "cannot create a handle");
    return nullptr;
  }
  napi_type_tag_object(env, out, &tag);
  return out;
}

void* unwrapHandle(napi_env env, napi_value value, const napi_type_tag& tag) {
  bool matches = false;
  void* data = nullptr;
  napi_valuetype type = napi_undefined;
  if (value == nullptr || napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, value, &tag, &matches) != napi_ok || !matches ||
      napi_get_value_external(env, value, &data) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "not a handle of this kind");
    return nullptr;
  }
  return data;
}

// -- calling back ---------------------------------------------------------------------------------------------

uv_loop_t* eventLoop(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

void Source::opened(const char* name) {
  napi_value text = nullptr;
  napi_create_string_utf8(env_, name, NAPI_AUTO_LENGTH, &text);
  napi_async_init(env_, nullptr, text, &context_);
  napi_add_async_cleanup_hook(
      env_, [](napi_async_cleanup_hook_handle, void* data) { static_cast<Source*>(data)->close(); }, this, &hook_);
}

void Source::closed() {
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  context_ = nullptr;
  if (hook_ != nullptr) napi_remove_async_cleanup_hook(hook_);
  hook_ = nullptr;
}

void Source::call(napi_ref callback, size_t count, const napi_value* values) {
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  if (napi_get_reference_value(env_, callback, &function) != napi_ok || function == nullptr) return;
  napi_get_global(env_, &receiver);
  napi_make_callback(env_, context_, receiver, function, count, values, nullptr);
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (!pending) return;
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

void bindAll(napi_env env, napi_value exports, const Binding* bindings, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function = nullptr;
    napi_create_function(env, bindings[i].name, NAPI_AUTO_LENGTH, bindings[i].call, nullptr, &function);
    setProperty(env, exports, bindings[i].name, function);
  }
}

}  // namespace weft
