#include "loop/poll.h"

namespace weft {

int Poll::open(uv_loop_t* loop, int fd, Listener* listener) {
  int failed = uv_poll_init(loop, &handle_, fd);
  if (failed != 0) return -failed;
  handle_.data = this;
  listener_ = listener;
  opened_ = true;
  return 0;
}

void Poll::watch(int events) {
  events_ = events;
  uv_poll_start(&handle_, events, [](uv_poll_t* handle, int status, int ready) {
    auto* poll = static_cast<Poll*>(handle->data);
    poll->listener_->onReady(ready, -status);
  });
}

void Poll::stop() { uv_poll_stop(&handle_); }

void Poll::close() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    static_cast<Poll*>(handle->data)->listener_->onPollClosed();
  });
}

}  // namespace weft
