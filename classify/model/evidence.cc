#include "classify/model/evidence.h"

#include <algorithm>

namespace racewatch::classify {
namespace {

// Tokens of one span at most, so that it stays a phrase.
constexpr uint32_t kSpanWordsMax = 6;
constexpr uint32_t kSpanCharactersMax = 12;

// Lays the contributions of every row over its tokens, in equal parts.
void LayOut(Reader& reader, const ModelFile& file, const Label& label) {
  reader.token_weights.assign(reader.analysis.tokens.size(), 0.0f);
  std::vector<float>& share = reader.row_shares;
  share.resize(file.row_scales.size());
  for (const RowHit& hit : reader.rows)
    share[hit.row] = hit.value * LabelWeight(file, label, hit.row) / static_cast<float>(hit.count);
  for (const Occurrence& o : reader.occurrences) {
    const float each = share[o.row] / static_cast<float>(o.count + o.last_count);
    for (uint32_t i = 0; i < o.count; ++i) reader.token_weights[o.first + i] += each;
    for (uint32_t i = 0; i < o.last_count; ++i) reader.token_weights[o.last_first + i] += each;
  }
}

}  // namespace

float LabelWeight(const ModelFile& file, const Label& label, uint32_t row) {
  float sum = 0;
  for (size_t i = 0; i < label.part_count; ++i) {
    const Label::Part& part = label.parts[i];
    sum += part.sign * file.meta.weight_scale[part.head] *
           static_cast<float>(file.weights[size_t{row} * kRowBytes + part.head]);
  }
  return sum;
}

void FindEvidence(Reader& reader, const ModelFile& file, const Label& label, size_t count,
                  std::vector<EvidenceSpan>* spans) {
  LayOut(reader, file, label);
  spans->clear();
  const std::vector<Token>& tokens = reader.analysis.tokens;
  const std::vector<float>& weights = reader.token_weights;
  for (size_t i = 0; i < tokens.size();) {
    if (weights[i] <= 0) {
      ++i;
      continue;
    }
    const uint32_t longest = tokens[i].flags & Token::kUnspaced ? kSpanCharactersMax : kSpanWordsMax;
    float sum = weights[i];
    size_t end = i + 1;
    while (end < tokens.size() && end - i < longest && weights[end] > 0 && !(tokens[end].flags & Token::kClauseStart))
      sum += weights[end++];
    const Token& last = tokens[end - 1];
    spans->push_back({tokens[i].start, last.start + last.length - tokens[i].start, sum});
    i = end;
  }
  const size_t kept = std::min(count, spans->size());
  std::partial_sort(spans->begin(), spans->begin() + static_cast<ptrdiff_t>(kept), spans->end(),
                    [](const EvidenceSpan& a, const EvidenceSpan& b) {
                      return a.weight != b.weight ? a.weight > b.weight : a.start < b.start;
                    });
  spans->resize(kept);
}

}  // namespace racewatch::classify
