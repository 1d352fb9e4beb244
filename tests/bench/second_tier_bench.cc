// A reading of the second tier (500 tokens, six questions) beside the limit: the largest matrix product of the language model
// that the shipped adapter belongs to by itself (of bytes), as fast as oneDNN computes it here. The layers have a quarter of
// the sizes of those of that model; with it in $RACEWATCH_LANGUAGE_MODEL its own speed is measured too.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <dnnl.hpp>
#include <memory>
#include <random>
#include <vector>

#include "classify/second_tier/adapter.h"
#include "classify/second_tier/gguf.h"
#include "classify/second_tier/language_model_tier.h"
#include "classify/second_tier/transformer.h"
#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

constexpr int kBeginning = 320, kQuestions = 6, kQuestionTokens = 32, kTokens = kBeginning + kQuestions * kQuestionTokens;

std::vector<int32_t> Tokens(size_t count, uint32_t below) {
  std::mt19937 random(1);
  std::vector<int32_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<int32_t>(random() % below));
  return out;
}

void Read(benchmark::State& state, const Transformer& transformer, double weights) {
  const std::vector<int32_t> beginning = Tokens(kBeginning, 250);
  const std::vector<std::vector<int32_t>> endings(kQuestions, Tokens(kQuestionTokens, 250));
  for (auto _ : state)
    if (!transformer.Read(beginning, endings).ok()) return state.SkipWithError("a reading failed");
  const auto tokens = static_cast<double>(state.iterations() * kTokens);
  state.counters["tokens"] = benchmark::Counter(tokens, benchmark::Counter::kIsRate);
  state.counters["GOP"] = benchmark::Counter(2e-9 * weights * tokens, benchmark::Counter::kIsRate);
}

// Numbers in the matrices of one layer.
double WeightsOfLayer(double width, double shared, double inner) { return width * (2 * width + 2 * shared + 3 * inner); }

void Reading(benchmark::State& state) {
  TinyModel model;
  model.layers = 3, model.width = 384, model.heads = 6, model.groups = 2, model.inner = 2240;
  const auto file = GgufFile::Open(WriteTemporary("bench.gguf", model.Bytes()));
  const auto transformer = Transformer::Load(**file, nullptr, {});
  if (!transformer.ok()) return state.SkipWithError(transformer.status().message().c_str());
  Read(state, **transformer, 3 * WeightsOfLayer(384, 128, 2240));
}
BENCHMARK(Reading)->Unit(benchmark::kMillisecond)->UseRealTime();

// What a reading cannot be faster than, in thousand million operations a second.
void BareProduct(benchmark::State& state) {
  using dnnl::memory;
  constexpr int64_t kIn = 1536, kOut = 8960, kRows = kTokens;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc x({kRows, kIn}, memory::data_type::s8, memory::format_tag::ab), y({kRows, kOut}, memory::data_type::f32, memory::format_tag::ab);
  const dnnl::matmul::primitive_desc what({x, memory::desc({kIn, kOut}, memory::data_type::s8, memory::format_tag::any), y}, engine);
  const dnnl::matmul product(what);
  const memory from(x, engine), weights(what.weights_desc(), engine), to(y, engine);
  for (auto _ : state) {
    product.execute(stream, {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, to}});
    stream.wait();
  }
  state.counters["GOP"] =
      benchmark::Counter(2e-9 * static_cast<double>(kRows * kIn * kOut) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BareProduct)->Unit(benchmark::kMillisecond)->UseRealTime();

void ShippedReading(benchmark::State& state) {
  const char* path = std::getenv("RACEWATCH_LANGUAGE_MODEL");
  if (!path || !*path) return state.SkipWithError("no language model in RACEWATCH_LANGUAGE_MODEL");
  const auto adapter = Adapter::Load(DefaultAdapterPath());
  const auto file = GgufFile::Open(path);
  if (!adapter.ok() || !file.ok()) return state.SkipWithError("files do not load");
  const auto transformer = Transformer::Load(**file, adapter->file.get(), {.layers = adapter->layers});
  if (!transformer.ok()) return state.SkipWithError(transformer.status().message().c_str());
  Read(state, **transformer, adapter->layers * WeightsOfLayer(1536, 256, 8960));
}
BENCHMARK(ShippedReading)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);

}  // namespace
}  // namespace racewatch::classify

BENCHMARK_MAIN();
