#pragma once

#include <sys/socket.h>
#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "device/descriptor.h"
#include "device/local-listener.h"
#include "loop/poll.h"

namespace weft {

class LocalConnection;

// A unix stream server for requests that carry file descriptors, which Node's own sockets cannot receive. One request
// and one answer a connection, framed as LocalConnection says.
//
// A connection costs nothing until it is complete: bounded number, bounded size, bounded time. Only root and the user
// we run as may speak at all (SO_PEERCRED); everybody else is closed before a byte is read.
class LocalServer final : private Poll::Listener {
 public:
  struct Limits {
    size_t connections;  // at once; more wait in the backlog
    uint64_t requestMs;  // until a request is complete, and until its answer is taken
    uint64_t answerMs;   // until it is answered
  };

  class Listener {
   public:
    // A complete request. The descriptors are closed when this returns. It may answer, or close the server.
    virtual void onRequest(uint64_t id, const ucred& peer, const std::vector<Descriptor>& received,
                           const uint8_t* data, size_t length) = 0;
    // The client of a request that was not answered yet has gone. It may close the server.
    virtual void onClientGone(uint64_t id) = 0;
    // After close(): nothing comes any more, and the server may be freed.
    virtual void onServerClosed() = 0;

   protected:
    ~Listener() = default;
  };

  LocalServer(uv_loop_t* loop, LocalListener socket, Limits limits, Listener* listener);
  ~LocalServer() = default;

  // Begins to accept. 0 or an errno.
  int start();
  bool started() const { return poll_.opened(); }

  // Answers a request. False where the client is gone or was answered already.
  bool answer(uint64_t id, const uint8_t* data, size_t length);
  // Closes a connection without an answer.
  void drop(uint64_t id);
  // Clients who connected and whose request is not complete yet; all those in the backlog count as one.
  int unheard() const;
  // Stops listening, drops every connection, removes the socket's name if it is still ours. Harmless when repeated.
  void close();

 private:
  friend class LocalConnection;

  uv_loop_t* loop() const { return loop_; }
  uint64_t now() const { return uv_now(loop_); }
  // A connection ends and is no longer to be found.
  void forget(uint64_t id);
  // A libuv handle of ours, or of a connection, is gone.
  void handleClosed();

  void onReady(int events, int error) override;
  void onPollClosed() override { handleClosed(); }
  void listen();
  void pause();
  void accept();
  // Closes the client that waits longest to send its request, if one has for a while. False where none has.
  bool dropSilent();
  void sweep();
  void watchDeadlines();

  uv_loop_t* loop_;
  LocalListener socket_;
  Limits limits_;
  Listener* listener_;
  Poll poll_;
  uv_timer_t timer_ = {};
  int handles_ = 0;  // libuv handles that are not closed yet
  bool listening_ = false;
  bool closing_ = false;
  uint64_t lastId_ = 0;
  std::unordered_map<uint64_t, LocalConnection*> connectionById_;
};

}  // namespace weft
