#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace weft {

// Which counters of one receiving key were seen: crypto/replay-window.ts in C++ (RFC 6479). check() before the tag is
// verified, accept() after.
class ReplayWindow {
 public:
  static constexpr uint64_t kBlocks = 1024;
  static constexpr uint64_t kBlockBits = 32;
  static constexpr uint64_t kSize = (kBlocks - 1) * kBlockBits;

  // One above the highest counter accepted so far; 0 before the first. This alone may be asked by any thread.
  uint64_t next() const { return next_.load(std::memory_order_relaxed); }

  bool check(uint64_t counter) const {
    const uint64_t next = this->next();
    if (counter >= next) return true;
    if (next - 1 - counter >= kSize) return false;
    return (blocks_[blockOf(counter)] & bitOf(counter)) == 0;
  }

  // Its newest blocks, so that another process goes on with it: next(), then the block of the newest counter and those
  // before, each at its number % kSavedBlocks. A window is put back before any counter was accepted. What is older than
  // what was saved counts as seen then.
  static constexpr uint64_t kSavedBlocks = 256;
  static constexpr size_t kWords = 2 + kSavedBlocks;
  void save(uint32_t* words) const {
    words[0] = static_cast<uint32_t>(next());
    words[1] = static_cast<uint32_t>(next() >> 32);
    std::fill_n(words + 2, kSavedBlocks, 0);
    if (next() == 0) return;
    const uint64_t last = (next() - 1) / kBlockBits;
    for (uint64_t i = 0; i < kSavedBlocks && i <= last; i++)
      words[2 + (last - i) % kSavedBlocks] = blocks_[(last - i) % kBlocks];
  }
  void restore(const uint32_t* words) {
    const uint64_t next = words[0] | static_cast<uint64_t>(words[1]) << 32;
    next_.store(next, std::memory_order_relaxed);
    blocks_.fill(next == 0 ? 0 : UINT32_MAX);
    if (next == 0) return;
    const uint64_t last = (next - 1) / kBlockBits;
    for (uint64_t i = 0; i < kSavedBlocks && i <= last; i++)
      blocks_[(last - i) % kBlocks] = words[2 + (last - i) % kSavedBlocks];
  }

  // False where it was seen, or is too old: then nothing changed.
  bool accept(uint64_t counter) {
    if (!check(counter)) return false;
    if (const uint64_t next = this->next(); counter >= next) {
      // Empties the blocks that begin after the newest counter, up to the one of this. Before the first all are empty.
      const uint64_t from = next == 0 ? 0 : (next - 1) / kBlockBits;
      const uint64_t steps = std::min(counter / kBlockBits - from, kBlocks);
      for (uint64_t i = 1; i <= steps; i++) blocks_[(from + i) % kBlocks] = 0;
      next_.store(counter + 1, std::memory_order_relaxed);
    }
    blocks_[blockOf(counter)] |= bitOf(counter);
    return true;
  }

 private:
  static uint64_t blockOf(uint64_t counter) { return counter / kBlockBits % kBlocks; }
  static uint32_t bitOf(uint64_t counter) { return 1u << (counter % kBlockBits); }

  std::array<uint32_t, kBlocks> blocks_ = {};
  std::atomic<uint64_t> next_{0};
};

}  // namespace weft
