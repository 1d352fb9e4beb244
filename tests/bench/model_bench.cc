// Documents a second on one core, 6 KB articles at 10 % and 100 % relevant, beside what reading the bytes
// and tokenising alone cost. Texts are built from the gold passages, so that words, languages and hits are
// those of real documents; each document is different, and the set is larger than the second-level cache.
#include <benchmark/benchmark.h>


#include "classify/model/corpus.h"
#include "classify/model/model.h"
#include "classify/model/text.h"
#include "racewatch/v1/tags.pb.h"

namespace {

using namespace racewatch::classify;

constexpr size_t kArticleBytes = 6000;
constexpr size_t kArticles = 1000;

struct Article {
  std::string title, text;
};

// `relevant_tenths` of ten documents are made of relevant passages, the rest of others.
std::vector<Article> MakeArticles(int relevant_tenths) {
  std::vector<LabelledDocument> gold;
  if (!ReadLabelled(RACEWATCH_SOURCE_DIR "/tests/testdata/gold.jsonl", true, &gold).ok()) return {};
  std::vector<const LabelledDocument*> parts[2];
  for (const LabelledDocument& d : gold)
    if (d.language == "en") parts[d.relevant == 1].push_back(&d);
  std::vector<Article> articles(kArticles);
  uint64_t state = 1;
  for (size_t i = 0; i < kArticles; ++i) {
    const auto& from = parts[static_cast<int>(i % 10) < relevant_tenths];
    const auto next = [&]() -> const LabelledDocument& {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return *from[(state >> 33) % from.size()];
    };
    articles[i].title = next().title;
    while (articles[i].text.size() < kArticleBytes) articles[i].text += next().text + "\n";
    articles[i].text.resize(kArticleBytes);
  }
  return articles;
}

void Count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kArticleBytes));
}

void BM_ReadMemory(benchmark::State& state) {
  const std::vector<Article> articles = MakeArticles(1);
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
  const std::vector<Article> articles = MakeArticles(1);
  const FoldTable fold;
  std::vector<Token> tokens;
  ScriptCounts scripts;
  size_t i = 0;
  for (auto _ : state) {
    const Article& article = articles[i++ % kArticles];
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
  const std::vector<Article> articles = MakeArticles(static_cast<int>(state.range(0)));
  Scratch scratch;
  racewatch::v1::Tags tags;
  size_t i = 0, relevant = 0;
  for (auto _ : state) {
    const Article& article = articles[i++ % kArticles];
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
