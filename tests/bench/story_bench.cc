// Speed and memory of the story index on made-up articles of 450 words, one in three a copy; with RACEWATCH_FULL=1 also the
// resident memory of full windows (StoryWindow: minutes); beside it the
// signature alone: one-permutation MinHash (Li, Owen & Zhang 2012) of word 5-grams, 64 bins, which finds nothing yet.
#include <benchmark/benchmark.h>

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "store/story/story_index.h"
#include "store/story/tokens.h"
#include "tests/story/story_texts.h"

namespace racewatch {
namespace {

struct Article {
  std::string id, title, text, url;
};

const std::vector<Article>& Articles() {
  static const auto* articles = [] {
    auto* made = new std::vector<Article>;
    for (size_t i = 0; i < 4000; ++i) {
      const size_t original = i % 3 == 2 ? i - 1 : i;
      char id[33];
      std::snprintf(id, sizeof(id), "%032zx", i);
      made->push_back({id, "Title of Name" + std::to_string(original) + " and others", fakes::MadeUpText(original, 450),
                       "https://host" + std::to_string(i % 97) + ".example/" + std::to_string(i)});
    }
    return made;
  }();
  return *articles;
}

// Articles put together from 400 sentences: every phrase of an article stands in many others, as page furniture does.
const std::vector<Article>& SharedSentences() {
  static const auto* articles = [] {
    auto* made = new std::vector<Article>;
    for (size_t i = 0; i < 4000; ++i) {
      std::string text;
      for (size_t k = 0; k < 30; ++k) text += fakes::MadeUpText((i * 7919 + k * k * 104729 + 11 * k) % 400, 15) + ". ";
      char id[33];
      std::snprintf(id, sizeof(id), "%032zx", i);
      made->push_back({id, "Another title of Name" + std::to_string(i) + " and others", text, "https://host.example/" + std::to_string(i)});
    }
    return made;
  }();
  return *articles;
}

void AddAll(benchmark::State& state, const std::vector<Article>& articles) {
  auto index = std::make_unique<store::StoryIndex>();
  size_t at = 0;
  for (auto _ : state) {
    if (at == articles.size()) {
      state.PauseTiming();
      index = std::make_unique<store::StoryIndex>();
      at = 0;
      state.ResumeTiming();
    }
    const Article& article = articles[at++];
    benchmark::DoNotOptimize(index->Add({.id = article.id, .title = article.title, .text = article.text, .url = article.url}));
  }
  state.counters["articles"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  if (index->size() > 0) state.counters["bytes_each"] = static_cast<double>(index->memory_bytes()) / static_cast<double>(index->size());
}

void StoryIndexAdd(benchmark::State& state) { AddAll(state, Articles()); }
BENCHMARK(StoryIndexAdd);
void StoryIndexAddShared(benchmark::State& state) { AddAll(state, SharedSentences()); }
BENCHMARK(StoryIndexAddShared);

void MinHashSignatureOnly(benchmark::State& state) {
  std::vector<store::Token> tokens;
  size_t at = 0;
  for (auto _ : state) {
    tokens.clear();
    store::AppendTokens(Articles()[at++ % Articles().size()].text, &tokens);
    std::array<uint64_t, 64> bins;
    bins.fill(~uint64_t{0});
    for (size_t i = 0; i + 5 <= tokens.size(); ++i) {
      uint64_t hash = 0;
      for (size_t k = 0; k < 5; ++k) hash = (hash ^ tokens[i + k].hash) * 0x9E3779B97F4A7C15ull + (hash >> 31);
      uint64_t& bin = bins[hash >> 58];
      bin = std::min(bin, hash << 6);
    }
    benchmark::DoNotOptimize(bins);
  }
  state.counters["articles"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(MinHashSignatureOnly);

double ResidentMiB() {
  std::ifstream in("/proc/self/statm");
  double total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// The most since it was last set back.
double PeakMiB() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  return 0;
}

// A window filled once and then turned over by a tenth, as it stands in a store that has run for long.
void StoryWindow(benchmark::State& state) {
  const auto window = static_cast<size_t>(state.range(0));
  const size_t articles = window + window / 10;
  for (auto _ : state) {
    malloc_trim(0);
    const double before = ResidentMiB();
    std::ofstream("/proc/self/clear_refs") << 5;  // sets the peak back
    store::StoryOptions options;
    options.window_articles = static_cast<uint32_t>(window);
    store::StoryIndex index(options);
    char id[33];
    for (size_t i = 0; i < articles; ++i) {
      const size_t original = i % 3 == 2 ? i - 1 : i;
      std::snprintf(id, sizeof(id), "%032zx", i);
      const std::string title = "Title of Name" + std::to_string(original) + " and others", text = fakes::MadeUpText(original, 450);
      const std::string url = "https://host" + std::to_string(i % 97) + ".example/" + std::to_string(i);
      benchmark::DoNotOptimize(index.Add({.id = id, .title = title, .text = text, .url = url}));
    }
    state.counters["resident_mib"] = ResidentMiB() - before;
    state.counters["peak_mib"] = PeakMiB() - before;
    state.counters["bytes_each"] = static_cast<double>(index.memory_bytes()) / static_cast<double>(index.size());
    state.counters["articles"] = benchmark::Counter(static_cast<double>(articles), benchmark::Counter::kIsRate);
  }
}

}  // namespace
}  // namespace racewatch

int main(int argc, char** argv) {
  if (std::getenv("RACEWATCH_FULL") != nullptr)
    benchmark::RegisterBenchmark("StoryWindow", racewatch::StoryWindow)->Arg(200'000)->Arg(1'400'000)->Iterations(1)->Unit(benchmark::kSecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
