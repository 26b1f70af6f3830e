#include "binding/descriptor-source.h"

#include <utility>

namespace weft {

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
