#pragma once

#include <node_api.h>

namespace weft {

// A strong reference to a JavaScript value, let go with clear() or by the destructor.
class Reference {
 public:
  Reference() = default;
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  Reference(Reference&& other) noexcept : env_(other.env_), ref_(other.ref_) { other.ref_ = nullptr; }
  Reference& operator=(Reference&& other) noexcept {
    if (this == &other) return *this;
    clear();
    env_ = other.env_;
    ref_ = other.ref_;
    other.ref_ = nullptr;
    return *this;
  }
  ~Reference() { clear(); }

  // Refers to `value` (an object or a function) from now on. False where that is not possible.
  bool set(napi_env env, napi_value value) {
    clear();
    env_ = env;
    return napi_create_reference(env, value, 1, &ref_) == napi_ok;
  }
  void clear() {
    if (ref_ != nullptr) napi_delete_reference(env_, ref_);
    ref_ = nullptr;
  }
  // The value, or null where there is none.
  napi_value value() const {
    napi_value out = nullptr;
    if (ref_ == nullptr || napi_get_reference_value(env_, ref_, &out) != napi_ok) return nullptr;
    return out;
  }

 private:
  napi_env env_ = nullptr;
  napi_ref ref_ = nullptr;
};

}  // namespace weft
