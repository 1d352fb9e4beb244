#include "classify/model/fold.h"

#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <memory>

namespace racewatch::classify {

FoldTable::FoldTable() : map_(kLast - kFirst + 1) {
  for (uint32_t c = kFirst; c <= kLast; ++c) map_[c - kFirst] = static_cast<uint16_t>(c);
}

FoldTable::FoldTable(std::span<const FoldPair> pairs) : FoldTable() {
  for (const FoldPair& pair : pairs)
    if (pair.from >= kFirst && pair.from <= kLast) map_[pair.from - kFirst] = pair.to;
}

std::vector<FoldPair> TraditionalToSimplified() {
  std::vector<FoldPair> pairs;
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::Transliterator> transform(
      icu::Transliterator::createInstance("Traditional-Simplified", UTRANS_FORWARD, error));
  if (U_FAILURE(error) || !transform) return pairs;
  for (uint32_t c = FoldTable::kFirst; c <= FoldTable::kLast; ++c) {
    icu::UnicodeString text(static_cast<UChar32>(c));
    transform->transliterate(text);
    if (text.length() == 1 && text.charAt(0) != c)
      pairs.push_back({static_cast<uint16_t>(c), static_cast<uint16_t>(text.charAt(0))});
  }
  return pairs;
}

}  // namespace racewatch::classify
