#include "binding/handle.h"

namespace weft {

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

}  // namespace weft
