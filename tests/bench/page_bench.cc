// Pages per CPU second: extraction, its parts, and libxml2's bare HTML parse beside it as the limit of the usual way.
// Input: pages generated here after the shape of real ones, and the shared real pages when they are there.
#include <benchmark/benchmark.h>
#include <libdeflate.h>
#include <libxml/HTMLparser.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "ingest/page/html_tree.h"
#include "ingest/page/page_extractor.h"
#include "ingest/page/page_json.h"

namespace racewatch::ingest {
namespace {

using Corpus = std::vector<std::string>;

// About 120 KB: scripts and styles for a third, deep furniture, forty paragraphs.
std::string MakePage(int seed) {
  const std::string n = std::to_string(seed);
  std::string out = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Story " + n + " | Bench</title>"
                    "<script type='application/ld+json'>{\"@type\":\"NewsArticle\",\"headline\":\"Story " + n + "\",\"datePublished\":\"2026-03-14T09:26:53Z\"}</script>";
  for (int i = 0; i < 20; ++i) out += "<script>var a" + n + "=function(){if(1<2&&3>2){return '<div>'}};" + std::string(2000, 'x') + "</script>";
  out += "</head><body><nav>";
  for (int i = 0; i < 200; ++i) out += "<div class='nav-item level-2 css-1x2y3z'><a class=\"link link--muted\" href=\"/section/" + std::to_string(i) + "\"><span>Section</span></a></div>";
  out += "</nav><main><article class=story><h1>Story " + n + "</h1>";
  for (int i = 0; i < 40; ++i)
    out += "<div class='css-abc wrapper'><p class='paragraph body-text'>The ministry said on day " + std::to_string(i) +
           " that the rules, which <a href=/x>had been expected</a>, would apply to labs &amp; cloud firms alike; analysts were split, as they often are.</p></div>";
  out += "</article></main><footer>";
  for (int i = 0; i < 300; ++i) out += "<ul class=footer__list><li class='footer__item'><a href='/f/" + std::to_string(i) + "' data-track='footer|x|y'>Link</a></li></ul>";
  return out + "</footer></body></html>";
}

std::string Unpack(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(in), {}};
  std::string out(32u << 20, '\0');
  size_t size = 0;
  libdeflate_decompressor* inflater = libdeflate_alloc_decompressor();
  const auto code = libdeflate_gzip_decompress(inflater, packed.data(), packed.size(), out.data(), out.size(), &size);
  libdeflate_free_decompressor(inflater);
  out.resize(code == LIBDEFLATE_SUCCESS ? size : 0);
  out.shrink_to_fit();
  return out;
}

const Corpus& Generated() {
  static const Corpus corpus = [] {
    Corpus pages;
    for (int i = 0; i < 20; ++i) pages.push_back(MakePage(i));
    return pages;
  }();
  return corpus;
}

const Corpus& Shared() {
  static const Corpus corpus = [] {
    Corpus pages;
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(RACEWATCH_SOURCE_DIR "/../shared/cases/pages/html", missing))
      pages.push_back(Unpack(entry.path()));
    std::sort(pages.begin(), pages.end());  // the same order on every machine
    return pages;
  }();
  return corpus;
}

// Runs `step` over every page; reports pages and bytes per second of processor time.
template <typename Step>
void Run(benchmark::State& state, const Corpus& corpus, Step step) {
  if (corpus.empty()) return state.SkipWithError("needs ../shared/cases/pages");
  int64_t bytes = 0;
  for (auto _ : state) {
    for (const std::string& page : corpus) {
      step(page);
      bytes += static_cast<int64_t>(page.size());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(corpus.size()));
  state.SetBytesProcessed(bytes);
}

void ExtractToJson(const std::string& page) {
  std::string line;
  if (const auto result = ExtractPage(page); result.ok()) AppendPageJson(*result, "page.html", &line);
  benchmark::DoNotOptimize(line);
}

void ParseTree(const std::string& page) {
  static page::Tree tree;
  page::ParseHtml(page, &tree);
  benchmark::DoNotOptimize(tree.nodes.size());
}

void ParseLibxml2(const std::string& page) {
  htmlDocPtr document = htmlReadMemory(page.data(), static_cast<int>(page.size()), nullptr, nullptr,
                                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET);
  benchmark::DoNotOptimize(document);
  xmlFreeDoc(document);
}

BENCHMARK_CAPTURE(Run, extract/generated, Generated(), ExtractToJson);
BENCHMARK_CAPTURE(Run, tree_only/generated, Generated(), ParseTree);
BENCHMARK_CAPTURE(Run, peer_libxml2_parse_only/generated, Generated(), ParseLibxml2);
BENCHMARK_CAPTURE(Run, extract/shared_pages, Shared(), ExtractToJson);
BENCHMARK_CAPTURE(Run, tree_only/shared_pages, Shared(), ParseTree);
BENCHMARK_CAPTURE(Run, peer_libxml2_parse_only/shared_pages, Shared(), ParseLibxml2);

}  // namespace
}  // namespace racewatch::ingest

BENCHMARK_MAIN();
