// Documents a second on one core, 6 KB articles at 10 % and 100 % relevant, beside what reading the bytes
// and tokenising alone cost. Articles are real texts of the labelled corpus beside the project, a short one
// continued with itself; where the corpus is not there, gold passages take their place (label says which).
#include <benchmark/benchmark.h>

#include "classify/model/model.h"
#include "classify/model/text.h"
#include "racewatch/v1/tags.pb.h"
#include "tests/bench/labelled_articles.h"

namespace {

using namespace racewatch::bench;
using namespace racewatch::classify;

void Count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kArticleBytes));
}

void BM_ReadMemory(benchmark::State& state) {
  const std::vector<LabelledArticle> articles = MakeLabelledArticles(1).list;
  size_t i = 0;
  for (auto _ : state) {
    const std::string& text = articles[i++ % kArticles].text;
    uint64_t sum = 0;
    for (size_t at = 0; at + 8 <= text.size(); at += 8) {
      uint64_t word;
      __builtin_memcpy(&word, text.data() + at, 8);
      sum += word;
    }
    benchmark::DoNotOptimize(sum);
  }
  Count(state);
}
BENCHMARK(BM_ReadMemory);

void BM_TokeniseOnly(benchmark::State& state) {
  const std::vector<LabelledArticle> articles = MakeLabelledArticles(1).list;
  const FoldTable fold;
  std::vector<Token> tokens;
  ScriptCounts scripts;
  size_t i = 0;
  for (auto _ : state) {
    const LabelledArticle& article = articles[i++ % kArticles];
    Tokenise(article.title, article.text, fold, &tokens, &scripts);
    benchmark::DoNotOptimize(tokens.data());
  }
  Count(state);
}
BENCHMARK(BM_TokeniseOnly);

// Argument: tenths of the documents that are relevant.
void BM_Tag(benchmark::State& state) {
  const auto model = Model::Load(DefaultModelPath());
  if (!model.ok()) return state.SkipWithError(model.status().message().c_str());
  const auto [articles, source] = MakeLabelledArticles(static_cast<int>(state.range(0)));
  state.SetLabel(source);
  Scratch scratch;
  racewatch::v1::Tags tags;
  size_t i = 0, relevant = 0;
  for (auto _ : state) {
    const LabelledArticle& article = articles[i++ % kArticles];
    (*model)->Classify({article.title, article.text, "en"}, scratch, &tags);
    relevant += tags.relevance().label();
  }
  Count(state);
  state.counters["relevant"] = static_cast<double>(relevant) / static_cast<double>(i);
}
BENCHMARK(BM_Tag)->ArgName("relevant_tenths")->Arg(1)->Arg(10);

void BM_Load(benchmark::State& state) {
  for (auto _ : state) {
    const auto model = Model::Load(DefaultModelPath());
    if (!model.ok()) return state.SkipWithError(model.status().message().c_str());
    benchmark::DoNotOptimize(model.value().get());
  }
}
BENCHMARK(BM_Load)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
