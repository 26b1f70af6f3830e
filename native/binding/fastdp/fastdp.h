#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/reference.h"
#include "binding/reused-array.h"
#include "fastdp/engine.h"
#include "fastdp/recorder.h"

namespace weft {

// What JavaScript holds of the fast datapath: an engine between devices, or lanes without any, whose output is recorded
// for tests.
class Fastdp final : public EventSource, public UpwardQueue::Waker {
 public:
  static const napi_type_tag kTag;

  explicit Fastdp(napi_env env) : EventSource(env) {}

  void useDevices(EngineDevices devices) {
    engine_ = std::make_unique<Engine>(std::move(devices), this);
    lanes_ = engine_->lanes();
  }
  void useRecorder(bool coalesceTcp, bool coalesceUdp) {
    recorder_ = std::make_unique<Recorder>();
    recorded_ = std::make_unique<Lanes>(recorder_.get(), recorder_.get(), this, coalesceTcp, coalesceUdp);
    lanes_ = recorded_.get();
  }

  // Null once it is closed.
  Lanes* lanes() { return lanes_; }
  Recorder* recorder() { return recorder_.get(); }
  bool started() const { return started_; }

  // Begins to move packets, and to hand what is left to others to `onUp`. 0 or an errno.
  int start(Reference self, Reference onUp);
  // Moves no more packets; hands over what was left for `onUp` before this returns.
  void stop();
  void close() override;

 private:
  ~Fastdp() override = default;

  void wake() override {
    if (started_) uv_async_send(&async_);
  }
  void handOver();
  // One call of onUp. False where nothing was there, or nobody is to be told any more.
  bool handOverSome();

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Lanes> recorded_;
  Lanes* lanes_ = nullptr;
  bool started_ = false;
  uv_async_t async_ = {};
  Reference self_;
  Reference onUp_;
  ReusedArray<uint8_t> buffer_;
  ReusedArray<uint32_t> words_;
};

// Leaves a TypeError pending.
napi_value throwWrong(napi_env env, const char* what);
// The lanes of the handle that a call got first; null with an error pending for a wrong or closed one.
Lanes* lanesOf(napi_env env, const Arguments& arguments);

// Parts of the face, each of which binds its own functions.
void bindFastdpSessions(napi_env env, napi_value exports);
void bindFastdpChanges(napi_env env, napi_value exports);
void bindFastdpRecording(napi_env env, napi_value exports);

}  // namespace weft
