#pragma once

namespace weft {

// What a self-test showed.
enum class SegmentsSeen { kWork, kFail, kUnknown };

// Sends three datagrams over the loopback as one, and looks whether they arrive as they should. Nothing is known where
// nothing could be sent or came, for there may be no loopback here. Waits 50 ms at most for each datagram.
SegmentsSeen tryUdpSegments();

// Sends the same to a socket that asks for several datagrams as one message (UDP_GRO), and looks whether what comes, joined
// or not, says rightly where each begins. Requires that tryUdpSegments() did not fail.
SegmentsSeen tryUdpJoins();

}  // namespace weft
