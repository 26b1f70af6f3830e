#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "packet/ip-packet.h"

namespace weft {

struct Peer;

// Who owns an address: sorted, disjoint spans, as router/datapath/route-table.ts makes them. Immutable.
class RouteTable {
 public:
  // Words of a span: first, last, and the index of its owner; in IPv6 four words for each address, the highest first.
  static constexpr size_t kWords4 = 3;
  static constexpr size_t kWords6 = 9;

  RouteTable() = default;
  // `owners[index]` owns the spans with that index; null owns nothing. Words that are no whole span, and spans of
  // an index that is not there, are left out.
  RouteTable(const uint32_t* words4, size_t count4, const uint32_t* words6, size_t count6,
             const std::vector<Peer*>& owners);

  // The owner of the source, or of the destination, of `ip`; null where nobody is.
  Peer* sourceOwner(const IpPacket& ip) const { return owner(ip.family, ip.source()); }
  Peer* destinationOwner(const IpPacket& ip) const { return owner(ip.family, ip.destination()); }

 private:
  using Address6 = std::array<uint64_t, 2>;
  struct Span4 {
    uint32_t first;
    uint32_t last;
    Peer* owner;
  };
  struct Span6 {
    Address6 first;
    Address6 last;
    Peer* owner;
  };

  Peer* owner(int family, const uint8_t* address) const;

  std::vector<Span4> spans4_;
  std::vector<Span6> spans6_;
};

}  // namespace weft
