// Golden files: each page in testdata/ against the JSON beside it. RACEWATCH_REWRITE_GOLDEN=1 writes the JSON anew; the
// difference is then reviewed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "ingest/page/page_extractor.h"
#include "ingest/page/page_json.h"

namespace racewatch::ingest {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Golden, EveryPageGivesItsJson) {
  const bool rewrite = std::getenv("RACEWATCH_REWRITE_GOLDEN") != nullptr;
  int pages = 0;
  for (const auto& entry : fs::directory_iterator(RACEWATCH_SOURCE_DIR "/tests/page/testdata")) {
    if (entry.path().extension() != ".html") continue;
    ++pages;
    const auto page = ExtractPage(ReadAll(entry.path()), {.url = "https://golden.example/news/page.html"});
    ASSERT_TRUE(page.ok()) << entry.path() << ": " << page.status().ToString();
    std::string line;
    AppendPageJson(*page, {}, &line);
    const std::string json = nlohmann::ordered_json::parse(line).dump(1, ' ') + "\n";
    const fs::path golden = entry.path().string() + ".golden";
    if (rewrite) std::ofstream(golden, std::ios::binary) << json;
    EXPECT_EQ(ReadAll(golden), json) << entry.path();
  }
  EXPECT_GE(pages, 10);
}

}  // namespace
}  // namespace racewatch::ingest
