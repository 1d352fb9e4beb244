// Products of oneDNN for the transformer: of rows with one matrix of weights, and attention. Used by transformer.cc alone; throws
// dnnl::error. One thread at a time.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <functional>
#include <map>
#include <vector>

namespace racewatch::classify {

inline constexpr size_t kRowStep = 32;  // rows are padded to a multiple of this, so that few kernels are made

// Rows of numbers on their way into a product: in single precision, or as bytes, each row with a scale of its own that brings
// its largest number to 127 (LLM.int8, Dettmers et al. 2022, without its outliers).
class Rows {
 public:
  explicit Rows(bool bytes) : bytes_(bytes) {}
  // What was in it is lost.
  void Resize(size_t rows, size_t columns);
  // Different rows may be set by different threads.
  void Set(size_t row, const float* from);
  // What a row's bytes are to be multiplied by; 1 in single precision.
  float scale(size_t row) const { return scales_[row]; }
  void* data() { return bytes_ ? static_cast<void*>(whole_.data()) : static_cast<void*>(single_.data()); }

 private:
  bool bytes_;
  size_t columns_ = 0;
  std::vector<float> scales_, single_;
  std::vector<int8_t> whole_;
};

// A matrix in the order that oneDNN likes best here. Of bytes, a number of the matrix is its byte times the scale of its row.
struct Weights {
  dnnl::memory packed;
  std::vector<float> scales;  // one an output, 1 in single precision
};

// y = x W' for one shape of weights and any number of rows.
class Product {
 public:
  // Of bytes or of single precision, as the rows.
  Product(const dnnl::engine& engine, bool bytes, size_t in, size_t out);

  // `read` writes one of `out` rows of `in` weights; several threads call it, each for other rows.
  Weights Pack(dnnl::stream& stream, const std::function<void(size_t row, float* to)>& read) const;
  // `rows` is a multiple of kRowStep. Writes rows × out, where every number is still to be multiplied by the scales of its row
  // and of its output.
  void Run(dnnl::stream& stream, size_t rows, const Weights& weights, Rows* x, float* y);

 private:
  dnnl::matmul::primitive_desc Describe(size_t rows, const dnnl::memory::desc& weights) const;

  dnnl::engine engine_;
  dnnl::memory::data_type type_;
  int64_t in_, out_;
  dnnl::memory::desc packed_;
  std::map<size_t, dnnl::matmul> by_rows_;
};

// Attention of `groups` key-value heads, each asked by `queries` × rows rows: softmax(Q K') V in single precision.
class Attention {
 public:
  Attention(const dnnl::engine& engine, size_t groups, size_t queries, size_t head_width);
  // scores = Q K' (groups × queries·rows × rows); the caller strikes out what must not be seen, then calls Mix.
  void Score(dnnl::stream& stream, size_t rows, float* q, float* k, float* scores);
  // out = softmax(scores) V; overwrites `scores`.
  void Mix(dnnl::stream& stream, size_t rows, float* scores, float* v, float* out);

 private:
  struct Kernels {
    dnnl::memory::desc q, k, scores, v, out;
    dnnl::matmul score, mix;
    dnnl::softmax_forward softmax;
  };
  Kernels& For(size_t rows);

  dnnl::engine engine_;
  int64_t groups_, queries_, width_;
  std::map<size_t, Kernels> by_rows_;
};

}  // namespace racewatch::classify
