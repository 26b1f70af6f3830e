#pragma once

namespace weft {

// Whether this processor has instructions for AES and for the carry-less product that GCM needs. Without them AES is
// slow, and its tables tell the key to whoever shares the caches.
bool hasAesHardware();

}  // namespace weft
