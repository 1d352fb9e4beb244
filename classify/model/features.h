// Features of labelled documents as the trainer sees them, and the vocabulary that turns them into the rows
// of a model. Values are (1 + ln count) x idf, or ln(1 + count) for classes, scaled to length one within each
// block, so that a title, a summary and a full text are read alike. Plain data; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "classify/model/analysis.h"
#include "classify/model/corpus.h"
#include "classify/model/logistic.h"

namespace racewatch::classify {

// Features of one block share a norm.
enum class Block : uint8_t { kNgram = 0, kCount = 1, kConcept = 2 };
inline constexpr size_t kBlocks = 3;

inline Block BlockOf(FeatureKind kind) {
  switch (kind) {
    case FeatureKind::kNgram:
    case FeatureKind::kTitleNgram: return Block::kNgram;
    case FeatureKind::kClassCount:
    case FeatureKind::kClassTitle:
    case FeatureKind::kClassDense:
    case FeatureKind::kClassTogether: return Block::kCount;
    default: return Block::kConcept;
  }
}

// Weight of each block against the others, and what keeps the norm of a short text from being tiny.
inline constexpr float kBlockScale[kBlocks] = {1.0f, 1.0f, 1.0f};
inline constexpr float kNormFloor = 1.0f;

// Value of a feature that occurs `count` times, before the block's norm. `scale` is its idf times the block's weight.
float FeatureValue(Block block, uint32_t count, float scale);

struct FeatureCount {
  uint64_t hash;
  uint32_t count;
  FeatureKind kind;
};

using DocumentFeatures = std::vector<FeatureCount>;  // sorted by hash

// `gate`: 1- and 2-grams only, as the gate reads them.
DocumentFeatures ExtractFeatures(const LabelledDocument& document, const FoldTable& fold, const Lexicon& lexicon,
                                 const ConceptRules& rules, bool gate, Analysis* analysis);

struct Vocabulary {
  struct Row {
    uint64_t hash;
    FeatureKind kind;
    float scale;
  };
  std::vector<Row> rows;  // sorted by hash

  // Row number of `hash`, or -1.
  int64_t Find(uint64_t hash) const;
};

// Features that occur in at least two groups (outlets) of the chosen documents, with their idf.
Vocabulary BuildVocabulary(const std::vector<DocumentFeatures>& features, std::span<const uint32_t> documents,
                           std::span<const uint32_t> groups);

// One row for every document of `features`, in order.
SparseMatrix BuildMatrix(const std::vector<DocumentFeatures>& features, const Vocabulary& vocabulary);

}  // namespace racewatch::classify
