// Megabytes of feed per CPU second: the parser, its parts, and pugixml's bare DOM parse beside it
// as the limit of the usual way. Input: feeds generated here after the shape of real ones, and the
// shared real feeds when they are there.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "ingest/feed/dates.h"
#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/feed/html_text.h"

namespace racewatch::ingest {
namespace {

using Corpus = std::vector<std::string>;

std::string Paragraph(uint32_t* state) {
  static constexpr const char* kWords[] = {"chips", "export", "model",    "ministry", "lab",
                                           "the",   "of",     "data",     "rules",    "compute",
                                           "a",     "new",    "training", "said",     "on",
                                           "court", "talks",  "cost",     "and",      "AI"};
  std::string out = "<p>";
  for (int i = 0; i < 60; ++i) {
    *state = *state * 1664525u + 1013904223u;
    out += kWords[(*state >> 16) % 20];
    out += i == 30
               ? " <a href=\"https://d.example/story?id=1&amp;ref=rss\" class=\"inline\">link</a> "
               : " ";
  }
  return out + "</p>\n";
}

std::string Escaped(const std::string& html) {
  std::string out;
  for (const char c : html)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

// One RSS feed of `items` articles of about 4 KB, every second one in CDATA.
std::string MakeFeed(int items, uint32_t seed) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" "
      "xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" "
      "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>Bench</title><link>https://"
      "d.example/</link>\n";
  for (int i = 0; i < items; ++i) {
    std::string body;
    for (int p = 0; p < 10; ++p) body += Paragraph(&seed);
    const std::string n = std::to_string(i);
    out += "<item>\n  <title>Story &#8211; number " + n + "</title>\n  <link>https://d.example/" +
           n + "</link>\n  <guid isPermaLink=\"false\">" + n +
           "</guid>\n  <pubDate>Tue, 03 Nov 2026 09:15:00 +0000</pubDate>\n  <dc:creator>Ann "
           "Lee</dc:creator>\n  <category>Chips</category>\n"
           "  <content:encoded>" +
           (i % 2 ? "<![CDATA[" + body + "]]>" : Escaped(body)) + "</content:encoded>\n</item>\n";
  }
  return out + "</channel></rss>\n";
}

const Corpus& Generated() {
  static const Corpus corpus = [] {
    Corpus feeds;
    for (uint32_t i = 0; i < 20; ++i)
      feeds.push_back(MakeFeed(10 + 4 * static_cast<int>(i), i + 1));
    return feeds;
  }();
  return corpus;
}

const Corpus& Real() {
  static const Corpus corpus = [] {
    Corpus feeds;
    const std::filesystem::path folder = RACEWATCH_SOURCE_DIR "/../shared/cases/feeds/real";
    if (!std::filesystem::is_directory(folder)) return feeds;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::ifstream in(entry.path(), std::ios::binary);
      if (entry.path().filename() != "LICENSE")
        feeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return feeds;
  }();
  return corpus;
}

// Runs `work` over the corpus; reports bytes per CPU second.
template <typename Work>
void RunOver(benchmark::State& state, const Corpus& corpus, Work work) {
  if (corpus.empty()) return state.SkipWithError("needs ../shared/cases/feeds/real");
  int64_t bytes = 0;
  for (auto _ : state)
    for (const std::string& feed : corpus) {
      work(feed);
      bytes += static_cast<int64_t>(feed.size());
    }
  state.SetBytesProcessed(bytes);
}

void ParseToJson(benchmark::State& state, const Corpus& corpus) {
  std::string json;
  RunOver(state, corpus, [&](const std::string& bytes) {
    json.clear();
    if (auto feed = ParseFeed(bytes); feed.ok()) AppendFeedJson(*feed, {}, &json);
    benchmark::DoNotOptimize(json.data());
  });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_rss_mb"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

void Parse(benchmark::State& state, const Corpus& corpus) {
  RunOver(state, corpus,
          [](const std::string& bytes) { benchmark::DoNotOptimize(ParseFeed(bytes).ok()); });
}

void PugixmlParseOnly(benchmark::State& state, const Corpus& corpus) {
  RunOver(state, corpus, [](const std::string& bytes) {
    pugi::xml_document document;
    benchmark::DoNotOptimize(document.load_buffer(bytes.data(), bytes.size()).status);
  });
}

void BodiesToText(benchmark::State& state, const Corpus& corpus) {
  Corpus bodies;
  for (const std::string& bytes : corpus)
    if (auto feed = ParseFeed(bytes); feed.ok())
      for (FeedEntry& entry : feed->entries)
        bodies.push_back(std::move(entry.content.empty() ? entry.summary : entry.content));
  RunOver(state, bodies,
          [](const std::string& html) { benchmark::DoNotOptimize(HtmlToText(html).size()); });
}

void Dates(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(feed::ParseDate("Tue, 03 Nov 2026 09:15:00 +0000"));
    benchmark::DoNotOptimize(feed::ParseDate("2026-11-03T09:15:00Z"));
  }
  state.SetItemsProcessed(state.iterations() * 2);
}

BENCHMARK_CAPTURE(ParseToJson, generated, Generated())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ParseToJson, real, Real())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Parse, generated, Generated())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Parse, real, Real())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PugixmlParseOnly, generated, Generated())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PugixmlParseOnly, real, Real())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BodiesToText, real, Real())->Unit(benchmark::kMillisecond);
BENCHMARK(Dates);

}  // namespace
}  // namespace racewatch::ingest

BENCHMARK_MAIN();
