// Traditional to simplified Chinese, one code point at a time. The trainer makes the table with ICU and
// stores it in the model file, so a text folds the same way wherever the model is used. Immutable once
// built; any number of threads may read it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace racewatch::classify {

struct FoldPair {
  uint16_t from;
  uint16_t to;
};

class FoldTable {
 public:
  static constexpr uint32_t kFirst = 0x3400;
  static constexpr uint32_t kLast = 0x9FFF;

  FoldTable();  // folds nothing
  explicit FoldTable(std::span<const FoldPair> pairs);

  uint32_t Fold(uint32_t code_point) const {
    return code_point >= kFirst && code_point <= kLast ? map_[code_point - kFirst] : code_point;
  }

 private:
  std::vector<uint16_t> map_;
};

// Every code point of the basic plane that ICU's Traditional-Simplified transform changes by itself.
// Empty if this ICU has no such transform.
std::vector<FoldPair> TraditionalToSimplified();

}  // namespace racewatch::classify
