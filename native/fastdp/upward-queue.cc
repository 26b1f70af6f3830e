#include "fastdp/upward-queue.h"

#include <cstring>

namespace weft {

bool UpwardQueue::push(const UpwardRecord& record, const uint8_t* bytes, size_t length) {
  const size_t part = record.kind == UpwardRecord::kDatagram ? 2 : 1;
  bool first = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (entries_.size() >= kMaxRecords / part || bytes_.size() + length > kMaxBytes / part) return false;
    first = entries_.empty();
    entries_.push_back({record, static_cast<uint32_t>(length)});
    if (length > 0) bytes_.insert(bytes_.end(), bytes, bytes + length);
  }
  if (first) waker_->wake();
  return true;
}

void UpwardQueue::tellWear(Session* session) {
  UpwardRecord record;
  record.kind = UpwardRecord::kWorn;
  record.index = session->localIndex;
  if (!push(record, nullptr, 0)) session->toldWear.store(Session::kFresh, std::memory_order_relaxed);
}

size_t UpwardQueue::take(uint32_t* words, size_t most, uint8_t* bytes, size_t room) {
  std::lock_guard<std::mutex> lock(mutex_);
  size_t count = 0;
  size_t used = 0;
  while (count < most && takenEntries_ < entries_.size()) {
    const Entry& entry = entries_[takenEntries_];
    if (used + entry.length > room) break;
    const UpwardRecord& record = entry.record;
    uint32_t* out = words + count * kWords;
    out[0] = record.kind;
    out[1] = static_cast<uint32_t>(used);
    out[2] = entry.length;
    out[3] = record.family;
    std::memcpy(out + 4, record.from.words, sizeof record.from.words);
    out[9] = record.tos;
    out[10] = record.index;
    out[11] = record.value;
    if (entry.length > 0) std::memcpy(bytes + used, bytes_.data() + takenBytes_, entry.length);
    used += entry.length;
    takenBytes_ += entry.length;
    takenEntries_++;
    count++;
  }
  if (takenEntries_ == entries_.size()) {
    entries_.clear();
    bytes_.clear();
    // What a burst took is given back.
    if (bytes_.capacity() > kKeptBytes) bytes_.shrink_to_fit();
    takenEntries_ = takenBytes_ = 0;
  }
  return count;
}

}  // namespace weft
