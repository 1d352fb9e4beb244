// Matrix products of oneDNN for one shape of weights and any number of rows: y = x W' + b, with what follows it in the same
// pass. Used by transformer.cc alone; throws dnnl::error. One thread at a time.
#pragma once

#include <dnnl.hpp>
#include <map>

namespace racewatch::classify {

inline constexpr size_t kRowStep = 32;  // rows are padded to a multiple of this, so that few kernels are made

class Product {
 public:
  enum class Then { kStore, kAdd, kSwish, kMultiply };  // y, out + y, swish(y), y x `factor`
  // `active` is the type of x and, of swish and multiplied results, of the output; others come out in single precision.
  Product(const dnnl::engine& engine, dnnl::memory::data_type active, size_t in, size_t out, bool bias, Then then);

  // `weights` is out × in, row by row. The result is in the order that oneDNN likes best here.
  dnnl::memory Pack(dnnl::stream& stream, float* weights) const;
  // `rows` is a multiple of kRowStep. `bias` holds `out` floats, `factor` rows × out of the active type; null where not used.
  void Run(dnnl::stream& stream, size_t rows, const dnnl::memory& weights, void* x, float* bias, void* out, void* factor);

 private:
  dnnl::matmul::primitive_desc Describe(size_t rows, const dnnl::memory::desc& weights) const;
  dnnl::memory::desc Rows(size_t rows, size_t columns, dnnl::memory::data_type type) const;

  dnnl::engine engine_;
  dnnl::memory::data_type active_, out_type_;
  size_t in_, out_;
  bool bias_;
  Then then_;
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
