// The shared development pages against the figures that issue 4 asks for, through the scorer's own measures in small:
// bags of lower-case ASCII words. tests use ../shared; without it they skip by name.
#include <gtest/gtest.h>
#include <libdeflate.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/page/page_documents.h"

namespace racewatch::ingest {
namespace {

namespace fs = std::filesystem;
const fs::path kPages = fs::path(RACEWATCH_SOURCE_DIR) / "../shared/cases/pages";

std::string Unpack(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(in), {}};
  std::string out(32u << 20, '\0');
  size_t size = 0;
  libdeflate_decompressor* inflater = libdeflate_alloc_decompressor();
  const auto code = libdeflate_gzip_decompress(inflater, packed.data(), packed.size(), out.data(), out.size(), &size);
  libdeflate_free_decompressor(inflater);
  out.resize(code == LIBDEFLATE_SUCCESS ? size : 0);
  return out;
}

std::map<std::string, int> Bag(std::string_view text) {
  std::map<std::string, int> bag;
  std::string word;
  for (const char c : std::string(text) + " ") {
    const auto b = static_cast<unsigned char>(c);
    if (isalnum(b) || b >= 0x80) word.push_back(static_cast<char>(b < 0x80 ? tolower(b) : b));
    else if (!word.empty()) ++bag[std::exchange(word, {})];
  }
  return bag;
}

double F1(std::string_view got, std::string_view want) {
  const auto a = Bag(got), b = Bag(want);
  double hits = 0, got_words = 0, want_words = 0;
  for (const auto& [word, n] : a) {
    got_words += n;
    if (const auto hit = b.find(word); hit != b.end()) hits += std::min(n, hit->second);
  }
  for (const auto& [word, n] : b) want_words += n;
  return hits > 0 ? 2 * hits / (got_words + want_words) : 0;
}

TEST(SharedPages, ArticlesReachTheWordF1OfTheIssue) {
  if (!fs::exists(kPages / "pages.jsonl")) GTEST_SKIP() << "needs ../shared/cases/pages";
  std::ifstream lines(kPages / "pages.jsonl");
  double sum = 0, dates = 0, dated = 0;
  int articles = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto wanted = nlohmann::json::parse(line);
    if (wanted["origin"] != "wcxb-dev/article") continue;
    const Page page = Extract(Unpack(kPages / wanted["file"].get<std::string>()));
    sum += F1(page.text, wanted["main_content"].get<std::string>());
    ++articles;
    if (!wanted.contains("publish_date") || wanted["publish_date"].is_null()) continue;
    ++dated;
    dates += page.published && page.published->ToString().substr(0, 10) == wanted["publish_date"].get<std::string>();
  }
  ASSERT_EQ(articles, 150);
  EXPECT_GE(sum / articles, 0.945);
  EXPECT_GE(dates / dated, 0.80);  // to the day; the scorer allows a day's difference
}

}  // namespace
}  // namespace racewatch::ingest
