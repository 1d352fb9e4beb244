#include "classify/second_tier/transformer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "classify/second_tier/gguf.h"
#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

using Matrix = std::vector<std::vector<double>>;

// The same model written out plainly, one token after the other, in double precision: what Transformer must agree with.
class Reference {
 public:
  explicit Reference(const TinyModel& model) : m_(model) {}

  std::vector<double> StateOf(const std::vector<int32_t>& tokens) const {
    Matrix x;
    const std::vector<float> embedding = m_.Weights("token_embd.weight", m_.width, m_.Vocabulary().size());
    for (const int32_t t : tokens) x.emplace_back(embedding.begin() + t * static_cast<ptrdiff_t>(m_.width), embedding.begin() + (t + 1) * static_cast<ptrdiff_t>(m_.width));
    for (uint64_t i = 0; i < m_.layers; ++i) Layer("blk." + std::to_string(i) + ".", &x);
    return x.back();
  }
  // Added to blk.1.attn_q.weight, width × width.
  std::vector<double> update;

 private:
  std::vector<double> Times(const std::string& name, const std::vector<double>& x, uint64_t rows, bool bias) const {
    const std::vector<float> w = m_.Weights(name + ".weight", x.size(), rows), b = bias ? m_.Weights(name + ".bias", rows, 1) : std::vector<float>(rows);
    std::vector<double> y(b.begin(), b.end());
    for (uint64_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < x.size(); ++c) y[r] += (double{w[r * x.size() + c]} + (name == "blk.1.attn_q" && !update.empty() ? update[r * x.size() + c] : 0)) * x[c];
    return y;
  }

  std::vector<double> Normal(const std::string& name, const std::vector<double>& x) const {
    const std::vector<float> w = m_.Norm(name);
    double squares = 0;
    for (const double v : x) squares += v * v;
    std::vector<double> y(x);
    for (size_t i = 0; i < x.size(); ++i) y[i] *= w[i] / std::sqrt(squares / static_cast<double>(x.size()) + 1e-6);
    return y;
  }

  void Turn(size_t position, size_t head_width, std::vector<double>* x) const {
    for (size_t start = 0; start < x->size(); start += head_width)
      for (size_t i = 0; i < head_width / 2; ++i) {
        const double angle = static_cast<double>(position) / std::pow(10000.0, 2.0 * static_cast<double>(i) / static_cast<double>(head_width));
        double &a = (*x)[start + i], &b = (*x)[start + head_width / 2 + i];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
  }

  std::vector<double> Attend(size_t row, const Matrix& q, const Matrix& k, const Matrix& v) const {
    const size_t hd = m_.width / m_.heads;
    std::vector<double> out(m_.width);
    for (size_t h = 0; h < m_.heads; ++h) {
      const size_t g = h / (m_.heads / m_.groups) * hd;
      std::vector<double> weights;
      double all = 0;
      for (size_t j = 0; j <= row; ++j) {
        double dot = 0;
        for (size_t d = 0; d < hd; ++d) dot += q[row][h * hd + d] * k[j][g + d];
        all += weights.emplace_back(std::exp(dot / std::sqrt(static_cast<double>(hd))));
      }
      for (size_t j = 0; j <= row; ++j)
        for (size_t d = 0; d < hd; ++d) out[h * hd + d] += weights[j] / all * v[j][g + d];
    }
    return out;
  }

  void Layer(const std::string& p, Matrix* x) const {
    const size_t hd = m_.width / m_.heads;
    Matrix q, k, v;
    for (size_t i = 0; i < x->size(); ++i) {
      const std::vector<double> n = Normal(p + "attn_norm.weight", (*x)[i]);
      q.push_back(Times(p + "attn_q", n, m_.width, true)), k.push_back(Times(p + "attn_k", n, m_.groups * hd, true));
      v.push_back(Times(p + "attn_v", n, m_.groups * hd, true));
      Turn(i, hd, &q[i]), Turn(i, hd, &k[i]);
    }
    for (size_t i = 0; i < x->size(); ++i) {
      std::vector<double>& state = (*x)[i];
      const std::vector<double> mixed = Times(p + "attn_output", Attend(i, q, k, v), m_.width, false);
      for (size_t d = 0; d < m_.width; ++d) state[d] += mixed[d];
      const std::vector<double> n = Normal(p + "ffn_norm.weight", state);
      std::vector<double> gate = Times(p + "ffn_gate", n, m_.inner, false);
      const std::vector<double> up = Times(p + "ffn_up", n, m_.inner, false);
      for (size_t d = 0; d < m_.inner; ++d) gate[d] = gate[d] / (1 + std::exp(-gate[d])) * up[d];
      const std::vector<double> down = Times(p + "ffn_down", gate, m_.width, false);
      for (size_t d = 0; d < m_.width; ++d) state[d] += down[d];
    }
  }

  const TinyModel& m_;
};

std::vector<int32_t> Tokens(uint32_t seed, size_t count) {
  std::vector<int32_t> out;
  for (const float x : Noise(seed, count, 100)) out.push_back(static_cast<int32_t>(x + 100));
  return out;
}

// One ending.
std::vector<std::vector<int32_t>> Only(std::vector<int32_t> ending) {
  std::vector<std::vector<int32_t>> out;
  out.push_back(std::move(ending));
  return out;
}

std::vector<int32_t> Joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Largest difference between row `row` of `states` and `expected`, as a part of the length of that.
double Difference(const std::vector<float>& states, size_t row, const std::vector<double>& expected) {
  double worst = 0, length = 0;
  for (size_t d = 0; d < expected.size(); ++d) {
    worst = std::max(worst, std::abs(states[row * expected.size() + d] - expected[d]));
    length += expected[d] * expected[d];
  }
  return worst / std::sqrt(length);
}

class TransformerTest : public testing::Test {
 protected:
  std::unique_ptr<Transformer> Load(const TinyModel& model, Transformer::Options options, const std::string& adapter = "") {
    auto file = GgufFile::Open(WriteTemporary("transformer.gguf", model.Bytes()));
    EXPECT_TRUE(file.ok()) << file.status().message();
    file_ = std::move(*file);
    std::unique_ptr<GgufFile> update;
    if (!adapter.empty()) update = std::move(GgufFile::Open(WriteTemporary("update.gguf", adapter))).value();
    auto loaded = Transformer::Load(*file_, update.get(), options);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return loaded.ok() ? std::move(*loaded) : nullptr;
  }
  std::unique_ptr<GgufFile> file_;
};

TEST_F(TransformerTest, StatesAreThoseOfThePlainComputation) {
  TinyModel model;
  model.layers = 3;
  const auto transformer = Load(model, {.threads = 1, .single_precision = true});
  const auto beginning = Tokens(1, 70), ending = Tokens(2, 5);
  const auto states = transformer->Read(beginning, Only(ending));
  ASSERT_TRUE(states.ok()) << states.status().message();
  EXPECT_LT(Difference(*states, 0, Reference(model).StateOf(Joined(beginning, ending))), 1e-4);
}

TEST_F(TransformerTest, BytesAreNearEnough) {
  const TinyModel model;
  const auto transformer = Load(model, {.threads = 2});
  const auto beginning = Tokens(3, 40), ending = Tokens(4, 3);
  const auto states = transformer->Read(beginning, Only(ending));
  ASSERT_TRUE(states.ok());
  EXPECT_LT(Difference(*states, 0, Reference(model).StateOf(Joined(beginning, ending))), 0.02);
}

TEST_F(TransformerTest, BytesGiveTheSameStatesOnOneThreadAsOnTwo) {
  const TinyModel model;
  const auto beginning = Tokens(3, 40), ending = Tokens(4, 3);
  const auto one = Load(model, {.threads = 1})->Read(beginning, Only(ending));
  const auto two = Load(model, {.threads = 2})->Read(beginning, Only(ending));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_LT(Difference(*one, 0, {two->begin(), two->end()}), 1e-3);
}

TEST_F(TransformerTest, EndingsDoNotSeeEachOther) {
  const TinyModel model;
  const auto transformer = Load(model, {.threads = 1, .single_precision = true});
  const auto beginning = Tokens(5, 33);
  const std::vector<std::vector<int32_t>> endings = {Tokens(6, 4), Tokens(7, 9), Tokens(8, 1)};
  const auto together = transformer->Read(beginning, endings);
  ASSERT_TRUE(together.ok());
  ASSERT_EQ(together->size(), 3 * model.width);
  for (size_t e = 0; e < 3; ++e)
    EXPECT_LT(Difference(*together, e, Reference(model).StateOf(Joined(beginning, endings[e]))), 1e-4) << e;
}

TEST_F(TransformerTest, ReadsOnlyTheFirstLayersIfSoAsked) {
  TinyModel model;
  model.layers = 3;
  const auto transformer = Load(model, {.layers = 1, .threads = 1, .single_precision = true});
  const auto ending = Tokens(9, 6);
  const auto states = transformer->Read({}, Only(ending));
  ASSERT_TRUE(states.ok());
  model.layers = 1;
  EXPECT_LT(Difference(*states, 0, Reference(model).StateOf(ending)), 1e-4);
}

TEST_F(TransformerTest, AddsTheLowRankUpdateToTheWeights) {
  const TinyModel model;
  TinyAdapter adapter;
  adapter.with_update = true;
  const auto transformer = Load(model, {.threads = 1, .single_precision = true}, adapter.Bytes());
  const auto ending = Tokens(10, 12);
  const auto states = transformer->Read({}, Only(ending));
  ASSERT_TRUE(states.ok());
  Reference reference(model);
  const double without = Difference(*states, 0, reference.StateOf(ending));
  const std::vector<float> a = Noise(8, 4 * model.width, 0.2f), b = Noise(9, 4 * model.width, 0.2f);
  reference.update.resize(model.width * model.width);
  for (size_t r = 0; r < model.width; ++r)
    for (size_t c = 0; c < model.width; ++c)
      for (size_t i = 0; i < 4; ++i) reference.update[r * model.width + c] += double{b[r * 4 + i]} * a[i * model.width + c];
  EXPECT_LT(Difference(*states, 0, reference.StateOf(ending)), 1e-4);
  EXPECT_GT(without, 1e-3);
}

TEST_F(TransformerTest, TheSameTextGivesTheSameStates) {
  const auto transformer = Load(TinyModel(), {.threads = 2});
  const auto beginning = Tokens(11, 50), longer = Tokens(12, 90);
  const std::vector<std::vector<int32_t>> endings = {Tokens(13, 4)};
  const auto first = transformer->Read(beginning, endings);
  ASSERT_TRUE(transformer->Read(longer, endings).ok());
  const auto again = transformer->Read(beginning, endings);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(*first, *again);
}

TEST_F(TransformerTest, RefusesTokensItDoesNotHave) {
  const auto transformer = Load(TinyModel(), {.threads = 1});
  EXPECT_EQ(transformer->Read({}, Only({100000})).status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(transformer->Read({}, Only({-1})).status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(transformer->Read({}, Only({})).status().code(), base::Code::kInvalidArgument);
  EXPECT_TRUE(transformer->Read(std::vector<int32_t>{1}, {}).ok());
}

TEST_F(TransformerTest, RefusesOtherModelsByName) {
  TinyModel model;
  model.architecture = "llama";
  const auto other = std::move(GgufFile::Open(WriteTemporary("llama.gguf", model.Bytes()))).value();
  EXPECT_NE(Transformer::Load(*other, nullptr, {}).status().message().find("architecture llama"), std::string::npos);
  const auto small = std::move(GgufFile::Open(WriteTemporary("small.gguf", TinyModel().Bytes()))).value();
  EXPECT_NE(Transformer::Load(*small, nullptr, {.layers = 9}).status().message().find("2 layers, 9 needed"), std::string::npos);
  TinyAdapter wide;
  wide.width = 32, wide.with_update = true;
  const auto update = std::move(GgufFile::Open(WriteTemporary("wide.gguf", wide.Bytes()))).value();
  EXPECT_EQ(Transformer::Load(*small, update.get(), {}).status().code(), base::Code::kFailedPrecondition);
}

}  // namespace
}  // namespace racewatch::classify
