// Hashes of tokens, n-grams and concept features: 64-bit, seedless, the same on every machine, because a
// model file stores them. Not for hostile keys: a collision costs a wrong weight, never memory safety.
#pragma once

#include <cstdint>

namespace racewatch::classify {

// Finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit.
inline uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

// Hash of a sequence from the hash of its beginning and of its next member; order matters.
inline uint64_t Combine(uint64_t head, uint64_t next) {
  const uint64_t x = (head ^ 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL + next;
  return x ^ (x >> 32);
}

// Bytes of one token, eight at a time, so that a byte costs a shift and not a multiplication.
class TokenHasher {
 public:
  void Add(uint8_t byte) {
    word_ |= uint64_t{byte} << (8 * fill_);
    ++length_;
    if (++fill_ == 8) Flush();
  }
  // The same for eight bytes, the first in the lowest bits, behind a multiple of eight; and for the last ones, fewer than eight.
  void AddEight(uint64_t bytes) {
    word_ = bytes;
    length_ += 8;
    Flush();
  }
  void AddLast(uint64_t bytes, unsigned count) {
    word_ = bytes;
    length_ += count;
    fill_ = count;
  }
  uint64_t Finish() const { return Mix((state_ ^ word_) + length_ * 0x9e3779b97f4a7c15ULL); }

 private:
  void Flush() {
    state_ = (state_ ^ word_) * 0xd6e8feb86659fd93ULL;
    state_ ^= state_ >> 32;
    word_ = 0;
    fill_ = 0;
  }
  uint64_t state_ = 0x243f6a8885a308d3ULL;
  uint64_t word_ = 0;
  uint64_t length_ = 0;
  unsigned fill_ = 0;
};

}  // namespace racewatch::classify
