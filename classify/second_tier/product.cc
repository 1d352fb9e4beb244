#include "classify/second_tier/product.h"

namespace racewatch::classify {

using dnnl::memory;
using Type = memory::data_type;

constexpr size_t kTypicalRows = 256;  // what the order of packed weights is chosen for

Product::Product(const dnnl::engine& engine, Type active, size_t in, size_t out, bool bias, Then then)
    : engine_(engine), active_(active), out_type_(then == Then::kSwish || then == Then::kMultiply ? active : Type::f32),
      in_(in), out_(out), bias_(bias), then_(then) {
  const memory::desc any({static_cast<int64_t>(in), static_cast<int64_t>(out)}, active, memory::format_tag::any);
  packed_ = Describe(kTypicalRows, any).weights_desc();
}

memory::desc Product::Rows(size_t rows, size_t columns, Type type) const {
  return {{static_cast<int64_t>(rows), static_cast<int64_t>(columns)}, type, memory::format_tag::ab};
}

dnnl::matmul::primitive_desc Product::Describe(size_t rows, const memory::desc& weights) const {
  dnnl::primitive_attr attributes;
  dnnl::post_ops after;
  if (then_ == Then::kAdd) after.append_sum(1.0f);
  if (then_ == Then::kSwish) after.append_eltwise(1.0f, dnnl::algorithm::eltwise_swish, 1.0f, 0.0f);
  if (then_ == Then::kMultiply) after.append_binary(dnnl::algorithm::binary_mul, Rows(rows, out_, active_));
  attributes.set_post_ops(after);
  const memory::desc x = Rows(rows, in_, active_), y = Rows(rows, out_, out_type_);
  const auto what = bias_ ? dnnl::matmul::desc(x, weights, Rows(1, out_, Type::f32), y) : dnnl::matmul::desc(x, weights, y);
  return {what, attributes, engine_};
}

memory Product::Pack(dnnl::stream& stream, float* weights) const {
  const auto in = static_cast<int64_t>(in_), out = static_cast<int64_t>(out_);
  memory plain(memory::desc({in, out}, Type::f32, memory::dims{1, in}), engine_, weights), packed(packed_, engine_);
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  stream.wait();
  return packed;
}

void Product::Run(dnnl::stream& stream, size_t rows, const memory& weights, void* x, float* bias, void* out, void* factor) {
  auto kernel = by_rows_.find(rows);
  if (kernel == by_rows_.end()) kernel = by_rows_.emplace(rows, dnnl::matmul(Describe(rows, packed_))).first;
  std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, memory(Rows(rows, in_, active_), engine_, x)},
                                               {DNNL_ARG_WEIGHTS, weights},
                                               {DNNL_ARG_DST, memory(Rows(rows, out_, out_type_), engine_, out)}};
  if (bias_) arguments.emplace(DNNL_ARG_BIAS, memory(Rows(1, out_, Type::f32), engine_, bias));
  if (then_ == Then::kMultiply)
    arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, memory(Rows(rows, out_, active_), engine_, factor));
  kernel->second.execute(stream, arguments);
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
