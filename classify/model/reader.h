// One document through the model's tables: the gate's logit, then the rows that the document hits with their
// values, places and logits. Buffers live in the reader, one per thread; the tables in ModelTables, shared.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "classify/model/analysis.h"
#include "classify/model/decision.h"
#include "classify/model/model.h"
#include "classify/model/model_file.h"

namespace racewatch::classify {

// What is built from a model file at load: filters that spare most look-ups, the lexicon, the fold table.
struct ModelTables {
  explicit ModelTables(const ModelFile& file);

  const ModelFile& file;  // outlives the tables
  FoldTable fold;
  Lexicon lexicon;
  ConceptRules rules;
  std::vector<uint64_t> gate_filter;  // bit sets over low bits of the hash: no bit, no row
  std::vector<uint64_t> filter;
};

// A place where a row occurs: tokens [first, first + count), and for a concept the tokens of its last hit.
struct Occurrence {
  uint32_t row;
  uint32_t first, count;
  uint32_t last_first, last_count;  // last_count 0: no second place
};

struct RowHit {
  uint32_t row;
  uint32_t count;
  float value;  // after the norm
};

// What words and rows weigh for several labels, side by side.
inline constexpr size_t kEvidenceLanes = 8;
using EvidenceLanes = std::array<float, kEvidenceLanes>;

class Reader {
 public:
  // Tokens and the gate. Returns the gate's logit.
  float ReadGate(const DocumentView& document, const ModelTables& tables);
  // Everything else of the same document. Returns the logits of all heads.
  const Logits& ReadRows(const DocumentView& document, const ModelTables& tables);

  // Gives back what a very large document needed.
  void Shrink();

  Analysis analysis;
  std::vector<Occurrence> occurrences;
  std::vector<RowHit> rows;
  std::vector<RowHit> gate_rows;  // row is a slot of the gate's table
  std::vector<EvidenceLanes> token_weights;  // of the labels looked at last (evidence.h)
  std::vector<EvidenceLanes> row_shares;
  Logits logits{};

 private:
  void CollectRows(const ModelTables& tables);
  void Normalise(const ModelTables& tables);
  void Touch(uint32_t row, const Occurrence& occurrence);

  std::vector<uint32_t> counts_;  // by row, zero between documents
  std::vector<uint32_t> gate_counts_;
};

}  // namespace racewatch::classify
