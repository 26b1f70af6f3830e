#include "loop/local-server.h"

#include <cerrno>
#include <utility>

#include "loop/local-connection.h"

namespace weft {
namespace {

// Clients taken at one wake-up.
constexpr int kAcceptAtOnce = 64;
// Deadlines need no precision, so one coarse timer serves all.
constexpr uint64_t kSweepMs = 100;
// A client sends its request as soon as it has connected. One that has not within this may go where places are short.
constexpr uint64_t kSilentMs = 250;

}  // namespace

LocalServer::LocalServer(uv_loop_t* loop, LocalListener socket, Limits limits, Listener* listener)
    : loop_(loop), socket_(std::move(socket)), limits_(limits), listener_(listener) {}

int LocalServer::start() {
  int failed = poll_.open(loop_, socket_.fd(), this);
  if (failed != 0) return failed;
  uv_timer_init(loop_, &timer_);
  timer_.data = this;
  handles_ = 2;
  listen();
  return 0;
}

bool LocalServer::answer(uint64_t id, const uint8_t* data, size_t length) {
  auto found = connectionById_.find(id);
  if (found == connectionById_.end() || !found->second->waiting()) return false;
  found->second->answer(data, length);
  return true;
}

void LocalServer::drop(uint64_t id) {
  auto found = connectionById_.find(id);
  if (found != connectionById_.end()) found->second->finish();
}

int LocalServer::unheard() const {
  int count = !closing_ && socket_.hasWaiting() ? 1 : 0;
  for (const auto& entry : connectionById_) count += entry.second->reading() ? 1 : 0;
  return count;
}

void LocalServer::close() {
  if (closing_) return;
  closing_ = true;
  std::vector<LocalConnection*> open;
  for (const auto& entry : connectionById_) open.push_back(entry.second);
  for (LocalConnection* connection : open) connection->finish();
  if (started()) {
    poll_.close();
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* handle) { static_cast<LocalServer*>(handle->data)->handleClosed(); });
  }
  socket_.close();
}

void LocalServer::forget(uint64_t id) {
  connectionById_.erase(id);
  if (closing_) return;
  if (!listening_) listen();
  if (connectionById_.empty()) uv_timer_stop(&timer_);
}

void LocalServer::handleClosed() {
  if (--handles_ == 0) listener_->onServerClosed();
}

void LocalServer::onReady(int, int) { accept(); }

void LocalServer::listen() {
  listening_ = true;
  poll_.watch(UV_READABLE);
}

// Leaves further clients in the backlog until a connection ends or the next sweep.
void LocalServer::pause() {
  listening_ = false;
  poll_.stop();
  watchDeadlines();
}

void LocalServer::accept() {
  for (int i = 0; i < kAcceptAtOnce; i++) {
    if (connectionById_.size() >= limits_.connections && !dropSilent()) return pause();
    Descriptor client;
    ucred peer = {};
    int failed = socket_.accept(&client, &peer);
    if (failed == EAGAIN) return;
    if (failed == EINTR || failed == ECONNABORTED || failed == EACCES) continue;
    if (failed != 0) return pause();  // out of descriptors: without a pause this would spin
    uint64_t id = ++lastId_;
    auto* connection = new LocalConnection(this, id, std::move(client), peer);
    if (!connection->open()) {
      delete connection;
      continue;
    }
    handles_++;
    connectionById_.emplace(id, connection);
    watchDeadlines();
  }
}

// Whoever connects and says nothing keeps others out only for so long; those who asked are left alone.
bool LocalServer::dropSilent() {
  LocalConnection* oldest = nullptr;
  for (const auto& entry : connectionById_) {
    if (!entry.second->silentFor(kSilentMs, now())) continue;
    if (oldest == nullptr || entry.second->id() < oldest->id()) oldest = entry.second;
  }
  if (oldest == nullptr) return false;
  oldest->finish();
  return true;
}

// Sweeps from now on until there is nothing to look after. The timer does not keep the process alive.
void LocalServer::watchDeadlines() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { static_cast<LocalServer*>(handle->data)->sweep(); }, kSweepMs, kSweepMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
}

void LocalServer::sweep() {
  std::vector<LocalConnection*> late;
  for (const auto& entry : connectionById_) {
    if (entry.second->expired(now())) late.push_back(entry.second);
  }
  for (LocalConnection* connection : late) connection->finish();
  if (closing_) return;
  if (!listening_) listen();
  if (connectionById_.empty()) uv_timer_stop(&timer_);
}

}  // namespace weft
