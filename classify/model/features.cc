#include "classify/model/features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace racewatch::classify {

namespace {

constexpr uint32_t kTabled = 256;

// 1 + ln n, or ln(1 + n) for class counts; small n from a table, since tagging asks for nothing else.
float Damped(bool class_count, uint32_t n) {
  static const auto table = [] {
    std::array<std::array<float, kTabled>, 2> t{};
    for (uint32_t i = 1; i < kTabled; ++i) {
      t[0][i] = 1.0f + std::log(static_cast<float>(i));
      t[1][i] = std::log1p(static_cast<float>(i));
    }
    return t;
  }();
  if (n < kTabled) return table[class_count][n];
  return class_count ? std::log1p(static_cast<float>(n)) : 1.0f + std::log(static_cast<float>(n));
}

}  // namespace

float FeatureValue(Block block, uint32_t count, float scale) { return scale * Damped(block == Block::kCount, count); }

DocumentFeatures ExtractFeatures(const LabelledDocument& document, const FoldTable& fold, const Lexicon& lexicon,
                                 const ConceptRules& rules, bool gate, Analysis* analysis) {
  std::unordered_map<uint64_t, FeatureCount> counts;
  const auto add = [&](uint64_t hash, FeatureKind kind) {
    ++counts.try_emplace(hash, FeatureCount{hash, 0, kind}).first->second.count;
  };
  analysis->ReadTokens(document.title, document.text, fold);
  ForEachNgram(analysis->tokens, gate ? kGateNgramTokensMax : kNgramTokensMax,
               [&](uint64_t hash, uint32_t, uint32_t) { add(hash, FeatureKind::kNgram); });
  if (!gate) {
    ForEachTitleNgram(analysis->tokens, [&](uint64_t hash, uint32_t, uint32_t) { add(hash, FeatureKind::kTitleNgram); });
    analysis->ReadConcepts(document.title, document.text, lexicon, rules);
    for (const ConceptFeature& feature : analysis->concepts) add(feature.hash(), feature.kind);
  }
  DocumentFeatures features;
  features.reserve(counts.size());
  for (const auto& [hash, feature] : counts) features.push_back(feature);
  std::sort(features.begin(), features.end(), [](const FeatureCount& a, const FeatureCount& b) { return a.hash < b.hash; });
  return features;
}

int64_t Vocabulary::Find(uint64_t hash) const {
  const auto it = std::lower_bound(rows.begin(), rows.end(), hash, [](const Row& row, uint64_t h) { return row.hash < h; });
  return it != rows.end() && it->hash == hash ? it - rows.begin() : -1;
}

Vocabulary BuildVocabulary(const std::vector<DocumentFeatures>& features, std::span<const uint32_t> documents,
                           std::span<const uint32_t> groups) {
  struct Seen {
    uint32_t documents = 0, group = 0;
    bool several_groups = false;
    FeatureKind kind = FeatureKind::kNgram;
  };
  std::unordered_map<uint64_t, Seen> seen;
  for (const uint32_t d : documents) {
    for (const FeatureCount& feature : features[d]) {
      Seen& s = seen[feature.hash];
      if (s.documents++ == 0) s.group = groups[d], s.kind = feature.kind;
      else if (s.group != groups[d]) s.several_groups = true;
    }
  }
  Vocabulary vocabulary;
  const auto total = static_cast<double>(documents.size());
  for (const auto& [hash, s] : seen) {
    if (!s.several_groups) continue;
    const Block block = BlockOf(s.kind);
    const double idf = block == Block::kCount ? 1.0 : std::log((total + 1) / (s.documents + 1)) + 1;
    vocabulary.rows.push_back({hash, s.kind, static_cast<float>(idf)});
  }
  std::sort(vocabulary.rows.begin(), vocabulary.rows.end(),
            [](const Vocabulary::Row& a, const Vocabulary::Row& b) { return a.hash < b.hash; });
  return vocabulary;
}

SparseMatrix BuildMatrix(const std::vector<DocumentFeatures>& features, const Vocabulary& vocabulary) {
  SparseMatrix x;
  x.columns = static_cast<uint32_t>(vocabulary.rows.size());
  std::unordered_map<uint64_t, uint32_t> index;
  for (uint32_t i = 0; i < x.columns; ++i) index[vocabulary.rows[i].hash] = i;
  for (const DocumentFeatures& document : features) {
    double squares[kBlocks] = {};
    const size_t begin = x.column.size();
    for (const FeatureCount& feature : document) {
      const auto it = index.find(feature.hash);
      if (it == index.end()) continue;
      const Vocabulary::Row& row = vocabulary.rows[it->second];
      const Block block = BlockOf(row.kind);
      const float value = FeatureValue(block, feature.count, row.scale);
      squares[static_cast<size_t>(block)] += double{value} * value;
      x.column.push_back(it->second);
      x.value.push_back(value);
    }
    for (size_t i = begin; i < x.column.size(); ++i) {
      const Block block = BlockOf(vocabulary.rows[x.column[i]].kind);
      const auto b = static_cast<size_t>(block);
      const double norm = std::sqrt(squares[b] + kNormFloor);
      x.value[i] = static_cast<float>(x.value[i] * kBlockScale[b] / norm);
    }
    x.begin.push_back(static_cast<uint32_t>(x.column.size()));
  }
  return x;
}

}  // namespace racewatch::classify
