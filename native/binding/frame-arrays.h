#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "binding/reused-array.h"
#include "binding/values.h"
#include "device/frame-batch.h"

namespace weft {

// The arrays in which JavaScript gets a FrameBatch: buffer, offsets, lengths, count. `Reader` says how large they are
// (kBufferBytes, kBatchFrames).
template <class Reader>
class FrameArrays {
 public:
  // False where memory is short.
  bool create(napi_env env) {
    return buffer_.create(env, Reader::kBufferBytes) && offsets_.create(env, Reader::kBatchFrames) &&
           lengths_.create(env, Reader::kBatchFrames);
  }

  // An empty batch in our memory. False where JavaScript has detached an array.
  bool open(FrameBatch* batch) {
    values_[0] = buffer_.open(&batch->buffer);
    values_[1] = offsets_.open(&batch->offsets);
    values_[2] = lengths_.open(&batch->lengths);
    return values_[0] != nullptr && values_[1] != nullptr && values_[2] != nullptr;
  }

  // The four arguments that describe the batch, which was opened in the same handle scope.
  static constexpr size_t kArguments = 4;
  const napi_value* arguments(napi_env env, const FrameBatch& batch) {
    values_[3] = number(env, static_cast<double>(batch.count));
    return values_;
  }

  void clear() {
    buffer_.clear();
    offsets_.clear();
    lengths_.clear();
  }

 private:
  ReusedArray<uint8_t> buffer_;
  ReusedArray<int32_t> offsets_;
  ReusedArray<int32_t> lengths_;
  napi_value values_[kArguments] = {};
};

}  // namespace weft
