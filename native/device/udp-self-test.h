#pragma once

namespace weft {

// What the self-test of UDP_SEGMENT showed.
enum class SegmentsSeen { kWork, kFail, kUnknown };

// Sends three datagrams over the loopback as one, and looks whether they arrive as they should. Nothing is known where
// nothing could be sent or came, for there may be no loopback here. Waits 50 ms at most for each datagram.
SegmentsSeen tryUdpSegments();

}  // namespace weft
