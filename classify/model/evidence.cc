#include "classify/model/evidence.h"

#include <algorithm>

namespace racewatch::classify {
namespace {

// Tokens of one span at most, so that it stays a phrase.
constexpr uint32_t kSpanWordsMax = 6;
constexpr uint32_t kSpanCharactersMax = 12;

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

void LayOutEvidence(Reader& reader, const ModelFile& file, std::span<const Label* const> labels) {
  reader.token_weights.assign(reader.analysis.tokens.size(), EvidenceLanes{});
  std::vector<EvidenceLanes>& shares = reader.row_shares;
  shares.resize(file.row_scales.size());
  for (const RowHit& hit : reader.rows) {
    EvidenceLanes& share = shares[hit.row];
    share = {};
    for (size_t l = 0; l < labels.size(); ++l)
      share[l] = hit.value * LabelWeight(file, *labels[l], hit.row) / static_cast<float>(hit.count);
  }
  for (const Occurrence& o : reader.occurrences) {
    EvidenceLanes each = shares[o.row];
    for (float& lane : each) lane /= static_cast<float>(o.count + o.last_count);
    const auto add = [&](uint32_t first, uint32_t count) {
      for (uint32_t i = first; i < first + count; ++i)
        for (size_t l = 0; l < kEvidenceLanes; ++l) reader.token_weights[i][l] += each[l];
    };
    add(o.first, o.count);
    add(o.last_first, o.last_count);
  }
}

void FindEvidence(const Reader& reader, size_t lane, size_t count, std::vector<EvidenceSpan>* spans) {
  spans->clear();
  const std::vector<Token>& tokens = reader.analysis.tokens;
  const auto weight = [&](size_t token) { return reader.token_weights[token][lane]; };
  for (size_t i = 0; i < tokens.size();) {
    if (weight(i) <= 0) {
      ++i;
      continue;
    }
    const uint32_t longest = tokens[i].flags & Token::kUnspaced ? kSpanCharactersMax : kSpanWordsMax;
    float sum = weight(i);
    size_t end = i + 1;
    while (end < tokens.size() && end - i < longest && weight(end) > 0 && !(tokens[end].flags & Token::kClauseStart))
      sum += weight(end++);
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
