#pragma once

namespace weft {

// An object that lives as long as somebody needs it: a handle of JavaScript, an open handle of libuv, a work item under
// way. Each takes a hold. For one thread.
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

}  // namespace weft
