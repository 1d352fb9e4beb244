// L2-regularised logistic regression by dual coordinate descent (Yu, Huang and Lin, "Dual coordinate descent
// methods for logistic regression and maximum entropy models", Machine Learning 85, 2011, algorithm 5).
// Deterministic: the same matrix, labels, weights and seed give the same bits. One thread.
//
// Columns may be scaled by how much more often they occur under one label than under the other, so that telling ones are
// penalised less (Wang and Manning, "Baselines and bigrams: simple, good sentiment and topic classification", ACL 2012).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace racewatch::classify {

// Rows of a sparse matrix, one document each.
struct SparseMatrix {
  std::vector<uint32_t> begin{0};  // row i is [begin[i], begin[i + 1])
  std::vector<uint32_t> column;
  std::vector<float> value;
  uint32_t columns = 0;

  size_t rows() const { return begin.size() - 1; }
};

struct LinearHead {
  std::vector<float> weight;  // per column
  float bias = 0;

  float Logit(const SparseMatrix& x, size_t row) const;
};

struct Example {
  uint32_t row;
  bool positive;
  double cost;  // the C of this example: larger fits it harder
};

// `ratio` 0: columns as they are; 1: scaled by the log ratio of their frequencies under both labels.
LinearHead FitLogistic(const SparseMatrix& x, std::span<const Example> examples, double ratio, uint64_t seed);

}  // namespace racewatch::classify
