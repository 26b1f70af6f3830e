#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "device/failure.h"

namespace weft {

// Sends `length` bytes, and `descriptors` with the first of them (SCM_RIGHTS, at most 4), to who listens at `path`, a
// unix stream socket, and hangs up. Waits for nothing: EAGAIN where the listener's backlog, or the socket, is full. EACCES
// where the listener is neither root nor our own user.
Failure sendLocal(const char* path, const uint8_t* data, size_t length, std::span<const int> descriptors);

}  // namespace weft
