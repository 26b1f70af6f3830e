#include "fastdp/route-table.h"

#include <algorithm>

#include "packet/bytes.h"

namespace weft {
namespace {

uint64_t pair(const uint32_t* words) { return static_cast<uint64_t>(words[0]) << 32 | words[1]; }

// The last span that begins at or before `address`, if it holds the address.
template <class Span, class Address>
const Span* find(const std::vector<Span>& spans, const Address& address) {
  auto after = std::upper_bound(spans.begin(), spans.end(), address,
                                [](const Address& one, const Span& span) { return one < span.first; });
  if (after == spans.begin()) return nullptr;
  const Span& span = *(after - 1);
  return address <= span.last ? &span : nullptr;
}

}  // namespace

RouteTable::RouteTable(const uint32_t* words4, size_t count4, const uint32_t* words6, size_t count6,
                       const std::vector<Peer*>& owners) {
  spans4_.reserve(count4 / kWords4);
  spans6_.reserve(count6 / kWords6);
  for (size_t at = 0; at + kWords4 <= count4; at += kWords4) {
    const uint32_t* span = words4 + at;
    if (span[2] < owners.size()) spans4_.push_back({span[0], span[1], owners[span[2]]});
  }
  for (size_t at = 0; at + kWords6 <= count6; at += kWords6) {
    const uint32_t* span = words6 + at;
    if (span[8] >= owners.size()) continue;
    spans6_.push_back({{pair(span), pair(span + 2)}, {pair(span + 4), pair(span + 6)}, owners[span[8]]});
  }
}

Peer* RouteTable::owner(int family, const uint8_t* address) const {
  if (family == 4) {
    const Span4* span = find(spans4_, readBig32(address));
    return span == nullptr ? nullptr : span->owner;
  }
  const uint32_t words[4] = {readBig32(address), readBig32(address + 4), readBig32(address + 8), readBig32(address + 12)};
  const Span6* span = find(spans6_, Address6{pair(words), pair(words + 2)});
  return span == nullptr ? nullptr : span->owner;
}

}  // namespace weft
