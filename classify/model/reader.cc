#include "classify/model/reader.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace racewatch::classify {
namespace {

std::vector<uint64_t> MakeFilter(std::span<const uint64_t> keys, size_t bits) {
  std::vector<uint64_t> filter(bits / 64, 0);
  for (const uint64_t key : keys)
    if (key) filter[(key & (bits - 1)) / 64] |= uint64_t{1} << (key % 64);
  return filter;
}

inline bool MayHold(const std::vector<uint64_t>& filter, uint64_t hash) {
  return filter[(hash / 64) & (filter.size() - 1)] >> (hash % 64) & 1;
}

// Slot of `hash`, or the number of slots.
inline size_t FindSlot(std::span<const uint64_t> keys, uint64_t hash) {
  const size_t mask = keys.size() - 1;
  for (size_t slot = hash & mask; keys[slot]; slot = (slot + 1) & mask)
    if (keys[slot] == hash) return slot;
  return keys.size();
}

constexpr size_t kGateFilterBits = 1 << 18;
constexpr size_t kFilterBits = 1 << 20;
constexpr size_t kTokensKept = 64 * 1024;

}  // namespace

ModelTables::ModelTables(const ModelFile& f)
    : file(f), fold(f.fold), lexicon(f.meta.classes, f.lexicon), rules(f.meta.classes),
      gate_filter(MakeFilter(f.gate_keys, kGateFilterBits)), filter(MakeFilter(f.keys, kFilterBits)) {}

float Reader::ReadGate(const DocumentView& document, const ModelTables& tables) {
  const ModelFile& file = tables.file;
  analysis.ReadTokens(document.title, document.text, tables.fold);
  gate_counts_.resize(file.gate_keys.size(), 0);
  gate_rows.clear();
  ForEachNgram(analysis.tokens, kGateNgramTokensMax, [&](uint64_t hash, uint32_t, uint32_t) {
    if (!MayHold(tables.gate_filter, hash)) return;
    const size_t slot = FindSlot(file.gate_keys, hash);
    if (slot < file.gate_keys.size() && gate_counts_[slot]++ == 0) gate_rows.push_back({static_cast<uint32_t>(slot), 0, 0});
  });
  double sum = 0, squares = kNormFloor;
  for (RowHit& hit : gate_rows) {
    hit.count = gate_counts_[hit.row];
    gate_counts_[hit.row] = 0;
    hit.value = FeatureValue(Block::kNgram, hit.count, file.gate_rows[hit.row].scale);
    squares += double{hit.value} * hit.value;
  }
  const auto factor = static_cast<float>(kBlockScale[0] / std::sqrt(squares));
  for (RowHit& hit : gate_rows) {
    hit.value *= factor;
    sum += double{hit.value} * file.gate_rows[hit.row].weight;
  }
  return static_cast<float>(sum + file.meta.gate_bias);
}

void Reader::Touch(uint32_t row, const Occurrence& occurrence) {
  if (counts_[row]++ == 0) rows.push_back({row, 0, 0});
  occurrences.push_back(occurrence);
}

void Reader::CollectRows(const ModelTables& tables) {
  const ModelFile& file = tables.file;
  const auto look_up = [&](uint64_t hash, uint32_t first, uint32_t count, uint32_t last_first, uint32_t last_count) {
    if (!MayHold(tables.filter, hash)) return;
    const size_t slot = FindSlot(file.keys, hash);
    if (slot == file.keys.size()) return;
    const uint32_t row = file.row_numbers[slot];
    Touch(row, {row, first, count, last_first, last_count});
  };
  const auto ngram = [&](uint64_t hash, uint32_t first, uint32_t count) { look_up(hash, first, count, 0, 0); };
  ForEachNgram(analysis.tokens, kNgramTokensMax, ngram);
  ForEachTitleNgram(analysis.tokens, ngram);
  for (const ConceptFeature& feature : analysis.concepts) {
    const LexiconHit& a = analysis.hits[feature.hit_first];
    const LexiconHit& z = analysis.hits[feature.hit_last];
    look_up(feature.hash(), a.first, a.tokens, z.first, feature.hit_last == feature.hit_first ? 0 : z.tokens);
  }
}

void Reader::Normalise(const ModelTables& tables) {
  const ModelFile& file = tables.file;
  double squares[kBlocks] = {kNormFloor, kNormFloor, kNormFloor};
  const auto block_of = [&](uint32_t row) { return BlockOf(static_cast<FeatureKind>(file.row_kinds[row])); };
  for (RowHit& hit : rows) {
    hit.count = counts_[hit.row];
    counts_[hit.row] = 0;
    const Block block = block_of(hit.row);
    hit.value = FeatureValue(block, hit.count, file.row_scales[hit.row]);
    squares[static_cast<size_t>(block)] += double{hit.value} * hit.value;
  }
  float factor[kBlocks];
  for (size_t b = 0; b < kBlocks; ++b)
    factor[b] = static_cast<float>(kBlockScale[b] / std::sqrt(squares[b]));
  for (RowHit& hit : rows) hit.value *= factor[static_cast<size_t>(block_of(hit.row))];
}

const Logits& Reader::ReadRows(const DocumentView& document, const ModelTables& tables) {
  const ModelFile& file = tables.file;
  analysis.ReadConcepts(document.title, document.text, tables.lexicon, tables.rules);
  counts_.resize(file.row_scales.size(), 0);
  rows.clear();
  occurrences.clear();
  CollectRows(tables);
  Normalise(tables);
  alignas(64) float sums[kRowBytes] = {};
  for (const RowHit& hit : rows) {
    const int8_t* weights = file.weights.data() + size_t{hit.row} * kRowBytes;
    for (size_t h = 0; h < kRowBytes; ++h) sums[h] += hit.value * static_cast<float>(weights[h]);
  }
  for (size_t h = 0; h < kHeads; ++h) logits[h] = file.meta.bias[h] + file.meta.weight_scale[h] * sums[h];
  return logits;
}

void Reader::Shrink() {
  if (analysis.tokens.capacity() <= kTokensKept) return;
  analysis = Analysis();
  occurrences = {};
  token_weights = {};
}

}  // namespace racewatch::classify
