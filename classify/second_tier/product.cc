#include "classify/second_tier/product.h"

#include <algorithm>
#include <bit>

#include "classify/second_tier/parallel.h"

namespace racewatch::classify {

using dnnl::memory;
using Type = memory::data_type;

namespace {

constexpr size_t kTypicalRows = 256;  // what the order of packed weights is chosen for
constexpr float kByteMax = 127;

// To bytes, so that the largest becomes kByteMax; the scale that takes them back. Rounds to the nearest, ties to even, by the
// lowest bits of a number so large that it has no others, which compilers compute several at a time.
float ToBytes(const float* from, size_t count, int8_t* to) {
  constexpr float kLarge = 12582912;  // 1.5 x 2^23
  int32_t most = 0;  // without their sign, numbers are ordered as their bits are
  for (size_t i = 0; i < count; ++i) most = std::max(most, std::bit_cast<int32_t>(from[i]) & 0x7fffffff);
  const float scale = std::max(std::bit_cast<float>(most) / kByteMax, 1e-30f), by = 1 / scale;
  for (size_t i = 0; i < count; ++i)
    to[i] = static_cast<int8_t>(std::bit_cast<int32_t>(from[i] * by + kLarge) - std::bit_cast<int32_t>(kLarge));
  return scale;
}

}  // namespace

void Rows::Resize(size_t rows, size_t columns) {
  columns_ = columns;
  scales_.assign(rows, 1.0f);
  if (bytes_) whole_.assign(rows * columns, 0);
  else single_.assign(rows * columns, 0);
}

void Rows::Set(size_t row, const float* from) {
  if (bytes_) scales_[row] = ToBytes(from, columns_, whole_.data() + row * columns_);
  else std::copy_n(from, columns_, single_.data() + row * columns_);
}

Product::Product(const dnnl::engine& engine, bool bytes, size_t in, size_t out)
    : engine_(engine), type_(bytes ? Type::s8 : Type::f32), in_(static_cast<int64_t>(in)), out_(static_cast<int64_t>(out)) {
  packed_ = Describe(kTypicalRows, {{in_, out_}, type_, memory::format_tag::any}).weights_desc();
}

dnnl::matmul::primitive_desc Product::Describe(size_t rows, const memory::desc& weights) const {
  const auto n = static_cast<int64_t>(rows);
  const memory::desc x({n, in_}, type_, memory::format_tag::ab), y({n, out_}, Type::f32, memory::format_tag::ab);
  return {{x, weights, y}, engine_};
}

Weights Product::Pack(dnnl::stream& stream, const std::function<void(size_t row, float* to)>& read) const {
  const auto in = static_cast<size_t>(in_);
  Weights out{memory(packed_, engine_), std::vector<float>(static_cast<size_t>(out_), 1.0f)};
  Rows rows(type_ == Type::s8);
  rows.Resize(out.scales.size(), in);
  ForEach(out.scales.size(), [&](size_t r) {
    std::vector<float> line(in);
    read(r, line.data());
    rows.Set(r, line.data());
    out.scales[r] = rows.scale(r);
  });
  memory from(memory::desc({in_, out_}, type_, memory::dims{1, in_}), engine_, rows.data());
  dnnl::reorder(from, out.packed).execute(stream, from, out.packed);
  stream.wait();
  return out;
}

void Product::Run(dnnl::stream& stream, size_t rows, const Weights& weights, Rows* x, float* y) {
  auto kernel = by_rows_.find(rows);
  if (kernel == by_rows_.end()) kernel = by_rows_.emplace(rows, dnnl::matmul(Describe(rows, packed_))).first;
  const auto n = static_cast<int64_t>(rows);
  kernel->second.execute(stream, {{DNNL_ARG_SRC, memory({{n, in_}, type_, memory::format_tag::ab}, engine_, x->data())},
                                  {DNNL_ARG_WEIGHTS, weights.packed},
                                  {DNNL_ARG_DST, memory({{n, out_}, Type::f32, memory::format_tag::ab}, engine_, y)}});
  stream.wait();
}

Attention::Attention(const dnnl::engine& engine, size_t groups, size_t queries, size_t head_width)
    : engine_(engine), groups_(static_cast<int64_t>(groups)), queries_(static_cast<int64_t>(queries)), width_(static_cast<int64_t>(head_width)) {}

Attention::Kernels& Attention::For(size_t rows) {
  if (const auto known = by_rows_.find(rows); known != by_rows_.end()) return known->second;
  const auto n = static_cast<int64_t>(rows);
  Kernels kernels;
  kernels.q = kernels.out = memory::desc({groups_, queries_ * n, width_}, Type::f32, memory::format_tag::abc);
  kernels.k = memory::desc({groups_, width_, n}, Type::f32, memory::dims{n * width_, 1, width_});
  kernels.scores = memory::desc({groups_, queries_ * n, n}, Type::f32, memory::format_tag::abc);
  kernels.v = memory::desc({groups_, n, width_}, Type::f32, memory::format_tag::abc);
  kernels.score = dnnl::matmul(dnnl::matmul::primitive_desc({kernels.q, kernels.k, kernels.scores}, engine_));
  kernels.mix = dnnl::matmul(dnnl::matmul::primitive_desc({kernels.scores, kernels.v, kernels.out}, engine_));
  kernels.softmax = dnnl::softmax_forward(
      dnnl::softmax_forward::primitive_desc({dnnl::prop_kind::forward_inference, kernels.scores, 2}, engine_));
  return by_rows_.emplace(rows, std::move(kernels)).first->second;
}

void Attention::Score(dnnl::stream& stream, size_t rows, float* q, float* k, float* scores) {
  Kernels& kernels = For(rows);
  kernels.score.execute(stream, {{DNNL_ARG_SRC, memory(kernels.q, engine_, q)},
                                 {DNNL_ARG_WEIGHTS, memory(kernels.k, engine_, k)},
                                 {DNNL_ARG_DST, memory(kernels.scores, engine_, scores)}});
  stream.wait();
}

void Attention::Mix(dnnl::stream& stream, size_t rows, float* scores, float* v, float* out) {
  Kernels& kernels = For(rows);
  const memory table(kernels.scores, engine_, scores);
  kernels.softmax.execute(stream, {{DNNL_ARG_SRC, table}, {DNNL_ARG_DST, table}});
  kernels.mix.execute(stream, {{DNNL_ARG_SRC, table},
                               {DNNL_ARG_WEIGHTS, memory(kernels.v, engine_, v)},
                               {DNNL_ARG_DST, memory(kernels.out, engine_, out)}});
  stream.wait();
}

}  // namespace racewatch::classify
