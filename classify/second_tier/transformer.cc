#include "classify/second_tier/transformer.h"

#include <omp.h>

#include <bit>
#include <cmath>
#include <mutex>
#include <optional>
#include <string>

#include "classify/second_tier/gguf.h"
#include "classify/second_tier/parallel.h"
#include "classify/second_tier/product.h"

namespace racewatch::classify {
namespace {

constexpr float kUnseen = -1e30f;
constexpr uint64_t kWidthMax = 1u << 16, kLayersMax = 1024;

struct Shape {
  uint64_t layers = 0, width = 0, heads = 0, groups = 0, inner = 0;
  double epsilon = 0, rotation_base = 0;
  uint64_t head_width() const { return width / heads; }
  uint64_t queries() const { return heads / groups; }  // per group of heads that share keys and values
  uint64_t shared_width() const { return groups * head_width(); }
};

base::Result<Shape> ReadShape(const GgufFile& file, uint32_t layers_wanted) {
  RW_ASSIGN_OR_RETURN(const std::string_view kind, file.Text("general.architecture"));
  const auto fail = [&](const std::string& what) { return base::FailedPrecondition("load " + file.path() + ": " + what); };
  if (kind != "qwen2") return fail("architecture " + std::string(kind) + ", qwen2 expected");
  Shape s;
  RW_ASSIGN_OR_RETURN(s.layers, file.Count("qwen2.block_count"));
  RW_ASSIGN_OR_RETURN(s.width, file.Count("qwen2.embedding_length"));
  RW_ASSIGN_OR_RETURN(s.heads, file.Count("qwen2.attention.head_count"));
  RW_ASSIGN_OR_RETURN(s.groups, file.Count("qwen2.attention.head_count_kv"));
  RW_ASSIGN_OR_RETURN(s.inner, file.Count("qwen2.feed_forward_length"));
  RW_ASSIGN_OR_RETURN(s.epsilon, file.Real("qwen2.attention.layer_norm_rms_epsilon"));
  RW_ASSIGN_OR_RETURN(s.rotation_base, file.Real("qwen2.rope.freq_base"));
  const bool sane = s.layers > 0 && s.layers <= kLayersMax && s.width > 0 && s.width <= kWidthMax && s.inner > 0 && s.inner <= kWidthMax &&
                    s.heads > 0 && s.groups > 0 && s.heads % s.groups == 0 && s.width % s.heads == 0 && s.head_width() % 2 == 0;
  if (!sane) return fail("sizes that do not go together");
  if (layers_wanted > s.layers) return fail(std::to_string(s.layers) + " layers, " + std::to_string(layers_wanted) + " needed");
  if (layers_wanted) s.layers = layers_wanted;
  return s;
}

std::vector<double> FrequenciesOf(const Shape& s) {
  std::vector<double> out(s.head_width() / 2);
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::pow(s.rotation_base, -2.0 * static_cast<double>(i) / static_cast<double>(s.head_width()));
  return out;
}

// e to the power of x, within 2e-7 of it, for x from -87 to 88: 2^n times a polynomial (Cephes, expf). Unlike std::exp it is
// computed several at a time.
inline float Exponential(float x) {
  constexpr float kLarge = 12582912;  // 1.5 x 2^23: adding it rounds to whole numbers
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float rounded = x * 1.44269504088896341f + kLarge, n = rounded - kLarge;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
  const int32_t power = (std::bit_cast<int32_t>(rounded) - std::bit_cast<int32_t>(kLarge) + 127) << 23;
  return (p * r * r + r + 1) * std::bit_cast<float>(power);
}

// Where each ending lies behind the beginning.
struct Layout {
  std::vector<int32_t> tokens;
  std::vector<size_t> starts, ends, positions;
  size_t beginning = 0, rows = 0;  // rows: tokens and padding
};

Layout LayOut(std::span<const int32_t> beginning, std::span<const std::vector<int32_t>> endings) {
  Layout l;
  l.beginning = beginning.size();
  l.tokens.assign(beginning.begin(), beginning.end());
  for (size_t i = 0; i < beginning.size(); ++i) l.positions.push_back(i);
  for (const std::vector<int32_t>& ending : endings) {
    l.starts.push_back(l.tokens.size());
    l.tokens.insert(l.tokens.end(), ending.begin(), ending.end());
    l.ends.push_back(l.tokens.size());
    for (size_t i = 0; i < ending.size(); ++i) l.positions.push_back(beginning.size() + i);
  }
  l.rows = (l.tokens.size() + kRowStep - 1) / kRowStep * kRowStep;
  l.positions.resize(l.rows, 0);
  return l;
}

// Strikes out of one row of scores what comes later, and the other endings.
void StrikeOut(const Layout& l, size_t row, float* scores) {
  std::fill(scores + row + 1, scores + l.rows, kUnseen);
  for (size_t e = 0; e < l.starts.size(); ++e)
    if (row >= l.starts[e] && row < l.ends[e]) std::fill(scores + l.beginning, scores + l.starts[e], kUnseen);
}

}  // namespace

struct Transformer::Impl {
  struct Layer {
    std::vector<float> attention_norm, inner_norm, qkv_bias;
    Weights qkv, output, gate, up, down;
  };

  Impl(Shape s, bool bytes, uint32_t thread_count);
  base::Status ReadLayer(const GgufFile& model, const GgufFile* update, const std::string& prefix, Layer* layer);
  base::Result<Weights> PackWeights(const GgufFile& model, const GgufFile* update, const Product& product, uint64_t columns,
                                    const std::vector<std::pair<std::string, uint64_t>>& parts);
  void Embed(const Layout& l);
  void Normalise(const std::vector<float>& x, size_t rows, const std::vector<float>& weights, Rows* to) const;
  void Rotate(const Layout& l, const Layer& layer);
  void Attend(const Layout& l, const Layer& layer);
  void Feed(size_t rows, const Layer& layer);
  // x += the product, with its scales.
  void Add(size_t rows, const Rows& of, const Weights& weights);
  std::vector<float> Run(const Layout& l);

  Shape shape;
  int threads;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Product qkv, output, gate, up, down;
  Attention attention;
  const GgufTensor* embedding = nullptr;
  std::vector<Layer> layers;
  std::vector<double> frequencies;

  std::mutex mutex;  // what one reading uses, from here on
  std::vector<float> x, product, raised, q, k, v, scores, mixed;
  Rows normal, mixed_rows, gated;
};

Transformer::Impl::Impl(Shape s, bool bytes, uint32_t thread_count)
    : shape(s), threads(static_cast<int>(thread_count)),
      qkv(engine, bytes, s.width, s.width + 2 * s.shared_width()), output(engine, bytes, s.width, s.width),
      gate(engine, bytes, s.width, s.inner), up(engine, bytes, s.width, s.inner), down(engine, bytes, s.inner, s.width),
      attention(engine, s.groups, s.queries(), s.head_width()), frequencies(FrequenciesOf(s)), normal(bytes), mixed_rows(bytes), gated(bytes) {}

namespace {

// Rows of a tensor, with those of a low-rank update added to them.
class UpdatedRows {
 public:
  static base::Result<UpdatedRows> Of(const GgufFile& model, const GgufFile* update, const std::string& name, uint64_t columns, uint64_t rows) {
    UpdatedRows out;
    RW_ASSIGN_OR_RETURN(out.tensor_, model.Tensor(name, columns, rows));
    const GgufTensor* ranks = update ? update->Find(name + ".lora_a") : nullptr;
    if (!ranks) return out;
    out.ranks_ = ranks->rows;
    RW_ASSIGN_OR_RETURN(const GgufTensor* a, update->Tensor(name + ".lora_a", columns, out.ranks_));
    RW_ASSIGN_OR_RETURN(const GgufTensor* b, update->Tensor(name + ".lora_b", out.ranks_, rows));
    out.left_.resize(rows * out.ranks_), out.right_.resize(out.ranks_ * columns);
    Dequantize(*b, 0, rows, out.left_.data());
    Dequantize(*a, 0, out.ranks_, out.right_.data());
    return out;
  }

  uint64_t rows() const { return tensor_->rows; }
  void Read(uint64_t row, float* to) const {
    Dequantize(*tensor_, row, 1, to);
    for (uint64_t i = 0; i < ranks_; ++i) {
      const float by = left_[row * ranks_ + i];
      const float* from = right_.data() + i * tensor_->columns;
      for (uint64_t c = 0; c < tensor_->columns; ++c) to[c] += by * from[c];
    }
  }

 private:
  const GgufTensor* tensor_ = nullptr;
  uint64_t ranks_ = 0;
  std::vector<float> left_, right_;
};

base::Result<std::vector<float>> ReadVector(const GgufFile& model, const std::string& name, uint64_t size) {
  RW_ASSIGN_OR_RETURN(const GgufTensor* tensor, model.Tensor(name, size, 1));
  std::vector<float> out(size);
  Dequantize(*tensor, 0, 1, out.data());
  return out;
}

}  // namespace

// The tensors one below the other.
base::Result<Weights> Transformer::Impl::PackWeights(const GgufFile& model, const GgufFile* update, const Product& of, uint64_t columns,
                                                     const std::vector<std::pair<std::string, uint64_t>>& parts) {
  std::vector<UpdatedRows> tensors;
  for (const auto& [name, rows] : parts) {
    RW_ASSIGN_OR_RETURN(UpdatedRows tensor, UpdatedRows::Of(model, update, name, columns, rows));
    tensors.push_back(std::move(tensor));
  }
  return of.Pack(stream, [&](size_t row, float* to) {
    auto tensor = tensors.begin();
    for (; row >= tensor->rows(); ++tensor) row -= tensor->rows();
    tensor->Read(row, to);
  });
}

base::Status Transformer::Impl::ReadLayer(const GgufFile& model, const GgufFile* update, const std::string& p, Layer* layer) {
  const uint64_t d = shape.width, kv = shape.shared_width(), inner = shape.inner;
  RW_ASSIGN_OR_RETURN(layer->attention_norm, ReadVector(model, p + "attn_norm.weight", d));
  RW_ASSIGN_OR_RETURN(layer->inner_norm, ReadVector(model, p + "ffn_norm.weight", d));
  for (const auto& [name, count] : {std::pair("attn_q.bias", d), std::pair("attn_k.bias", kv), std::pair("attn_v.bias", kv)}) {
    RW_ASSIGN_OR_RETURN(const std::vector<float> bias, ReadVector(model, p + name, count));
    layer->qkv_bias.insert(layer->qkv_bias.end(), bias.begin(), bias.end());
  }
  RW_ASSIGN_OR_RETURN(layer->qkv, PackWeights(model, update, qkv, d, {{p + "attn_q.weight", d}, {p + "attn_k.weight", kv}, {p + "attn_v.weight", kv}}));
  RW_ASSIGN_OR_RETURN(layer->output, PackWeights(model, update, output, d, {{p + "attn_output.weight", d}}));
  RW_ASSIGN_OR_RETURN(layer->gate, PackWeights(model, update, gate, d, {{p + "ffn_gate.weight", inner}}));
  RW_ASSIGN_OR_RETURN(layer->up, PackWeights(model, update, up, d, {{p + "ffn_up.weight", inner}}));
  RW_ASSIGN_OR_RETURN(layer->down, PackWeights(model, update, down, inner, {{p + "ffn_down.weight", d}}));
  return {};
}

void Transformer::Impl::Embed(const Layout& l) {
  x.assign(l.rows * shape.width, 0.0f);
  for (size_t i = 0; i < l.tokens.size(); ++i) Dequantize(*embedding, static_cast<uint64_t>(l.tokens[i]), 1, x.data() + i * shape.width);
}

void Transformer::Impl::Normalise(const std::vector<float>& from, size_t rows, const std::vector<float>& weights, Rows* to) const {
  const size_t d = shape.width;
  to->Resize(rows, d);
  ForEach(rows, [&](size_t r) {
    const float* in = from.data() + r * d;
    float squares = 0;
    for (size_t i = 0; i < d; ++i) squares += in[i] * in[i];
    const float scale = 1.0f / std::sqrt(squares / static_cast<float>(d) + static_cast<float>(shape.epsilon));
    std::vector<float> line(d);
    for (size_t i = 0; i < d; ++i) line[i] = in[i] * scale * weights[i];
    to->Set(r, line.data());
  });
}

// Turns queries and keys by their positions (Su et al. 2021, halves of a head apart) and sorts heads by group.
void Transformer::Impl::Rotate(const Layout& l, const Layer& layer) {
  const size_t hd = shape.head_width(), half = hd / 2, d = shape.width, kv = shape.shared_width(), line = d + 2 * kv;
  const float scale = 1.0f / std::sqrt(static_cast<float>(hd));
  q.resize(l.rows * d), k.resize(l.rows * kv), v.resize(l.rows * kv);
  ForEach(l.rows, [&](size_t r) {
    std::vector<float> cosines(half), sines(half), whole(line);
    for (size_t i = 0; i < line; ++i) whole[i] = product[r * line + i] * normal.scale(r) * layer.qkv.scales[i] + layer.qkv_bias[i];
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(l.positions[r]) * frequencies[i];
      cosines[i] = static_cast<float>(std::cos(angle)), sines[i] = static_cast<float>(std::sin(angle));
    }
    const auto turn = [&](const float* from, float by, float* to) {
      for (size_t i = 0; i < half; ++i) {
        to[i] = by * (from[i] * cosines[i] - from[i + half] * sines[i]);
        to[i + half] = by * (from[i + half] * cosines[i] + from[i] * sines[i]);
      }
    };
    const float* from = whole.data();
    for (size_t h = 0; h < shape.heads; ++h) turn(from + h * hd, scale, q.data() + (h * l.rows + r) * hd);
    for (size_t g = 0; g < shape.groups; ++g) {
      turn(from + d + g * hd, 1, k.data() + (g * l.rows + r) * hd);
      std::copy_n(from + d + kv + g * hd, hd, v.data() + (g * l.rows + r) * hd);
    }
  });
}

void Transformer::Impl::Attend(const Layout& l, const Layer& layer) {
  Normalise(x, l.rows, layer.attention_norm, &normal);
  product.resize(l.rows * (shape.width + 2 * shape.shared_width()));
  qkv.Run(stream, l.rows, layer.qkv, &normal, product.data());
  Rotate(l, layer);
  scores.resize(shape.heads * l.rows * l.rows);
  mixed.resize(l.rows * shape.width);
  attention.Score(stream, l.rows, q.data(), k.data(), scores.data());
  ForEach(shape.heads * l.rows, [&](size_t i) { StrikeOut(l, i % l.rows, scores.data() + i * l.rows); });
  attention.Mix(stream, l.rows, scores.data(), v.data(), mixed.data());
}

void Transformer::Impl::Add(size_t rows, const Rows& of, const Weights& weights) {
  const size_t d = shape.width;
  ForEach(rows, [&](size_t r) {
    const float *from = product.data() + r * d, *scales = weights.scales.data();
    float* to = x.data() + r * d;
    const float scale = of.scale(r);
    for (size_t i = 0; i < d; ++i) to[i] += from[i] * scale * scales[i];
  });
}

void Transformer::Impl::Feed(size_t rows, const Layer& layer) {
  const size_t inner = shape.inner;
  Normalise(x, rows, layer.inner_norm, &normal);
  product.resize(rows * inner), raised.resize(rows * inner), gated.Resize(rows, inner);
  gate.Run(stream, rows, layer.gate, &normal, product.data());
  up.Run(stream, rows, layer.up, &normal, raised.data());
  ForEach(rows, [&](size_t r) {
    const float *g = product.data() + r * inner, *by_g = layer.gate.scales.data(), *by_u = layer.up.scales.data();
    float* u = raised.data() + r * inner;
    const float scale = normal.scale(r);
    for (size_t i = 0; i < inner; ++i) {
      const float a = g[i] * scale * by_g[i];
      u[i] *= scale * by_u[i] * a / (1.0f + Exponential(-a));
    }
    gated.Set(r, u);
  });
  down.Run(stream, rows, layer.down, &gated, product.data());
  Add(rows, gated, layer.down);
}

std::vector<float> Transformer::Impl::Run(const Layout& l) {
  if (threads > 0) omp_set_num_threads(threads);
  const size_t d = shape.width, hd = shape.head_width();
  Embed(l);
  // Only what stands behind the endings is wanted: in the last layer the rest is left out after the attention.
  std::vector<size_t> wanted(l.rows);
  for (size_t i = 0; i < l.rows; ++i) wanted[i] = i;
  for (size_t i = 0; i < layers.size(); ++i) {
    Attend(l, layers[i]);
    size_t rows = l.rows;
    if (i + 1 == layers.size()) {
      wanted.clear();
      for (const size_t end : l.ends) wanted.push_back(end - 1);
      rows = (wanted.size() + kRowStep - 1) / kRowStep * kRowStep;
      for (size_t w = 0; w < wanted.size(); ++w) std::copy_n(x.data() + wanted[w] * d, d, x.data() + w * d);
    }
    mixed_rows.Resize(rows, d);
    ForEach(wanted.size(), [&](size_t w) {
      std::vector<float> line(d);
      for (size_t h = 0; h < shape.heads; ++h) std::copy_n(mixed.data() + (h * l.rows + wanted[w]) * hd, hd, line.data() + h * hd);
      mixed_rows.Set(w, line.data());
    });
    product.resize(rows * d);
    output.Run(stream, rows, layers[i].output, &mixed_rows, product.data());
    Add(rows, mixed_rows, layers[i].output);
    Feed(rows, layers[i]);
  }
  return {x.begin(), x.begin() + static_cast<ptrdiff_t>(wanted.size() * d)};
}

Transformer::Transformer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Transformer::~Transformer() = default;

base::Result<std::unique_ptr<Transformer>> Transformer::Load(const GgufFile& model, const GgufFile* update, Options options) {
  RW_ASSIGN_OR_RETURN(const Shape shape, ReadShape(model, options.layers));
  RW_ASSIGN_OR_RETURN(const std::vector<std::string_view>* tokens, model.Texts("tokenizer.ggml.tokens"));
  try {
    auto impl = std::make_unique<Impl>(shape, !options.single_precision, options.threads);
    RW_ASSIGN_OR_RETURN(impl->embedding, model.Tensor("token_embd.weight", shape.width, tokens->size()));
    impl->layers.resize(shape.layers);
    for (size_t i = 0; i < shape.layers; ++i) {
      RW_RETURN_IF_ERROR(impl->ReadLayer(model, update, "blk." + std::to_string(i) + ".", &impl->layers[i]));
      model.Forget();
    }
    return std::unique_ptr<Transformer>(new Transformer(std::move(impl)));
  } catch (const dnnl::error& error) {
    return base::Internal("load " + model.path() + ": oneDNN: " + error.what());
  }
}

base::Result<std::vector<float>> Transformer::Read(std::span<const int32_t> beginning, std::span<const std::vector<int32_t>> endings) const {
  const Layout layout = LayOut(beginning, endings);
  for (const int32_t token : layout.tokens)
    if (token < 0 || static_cast<uint64_t>(token) >= impl_->embedding->rows) return base::InvalidArgument("read: no token " + std::to_string(token));
  for (size_t e = 0; e < endings.size(); ++e)
    if (endings[e].empty()) return base::InvalidArgument("read: ending " + std::to_string(e) + " is empty");
  if (endings.empty()) return std::vector<float>();
  const std::lock_guard lock(impl_->mutex);
  try {
    return impl_->Run(layout);
  } catch (const dnnl::error& error) {
    return base::Internal(std::string("read: oneDNN: ") + error.what());
  }
}

size_t Transformer::width() const { return impl_->shape.width; }

}  // namespace racewatch::classify
