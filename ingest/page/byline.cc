#include "ingest/page/byline.h"

#include <algorithm>

#include "ingest/page/dates.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

constexpr size_t kLinesBelow = 14;
constexpr size_t kLinesAbove = 5;
constexpr size_t kBylineWordsMax = 24;

// "By Jane Doe" → "Jane Doe"; nothing when the line is no byline.
std::string AuthorOf(std::string_view line) {
  for (const std::string_view lead : {"by ", "by: ", "written by ", "posted by ", "author: ", "作者：", "作者:", "文／", "文/", "记者 ", "記者 "}) {
    if (!StartsWithIgnoreCase(line, lead)) continue;
    std::string_view name = Trim(line.substr(lead.size()));
    for (const std::string_view stop : {" | ", " • ", " · ", " on ", " - ", " – ", ", ", "Published", "Updated", " / ", "  "})
      if (const size_t at = name.find(stop); at != name.npos) name = Trim(name.substr(0, at));
    const size_t words = CountWords(name);
    if (words >= 1 && words <= 8 && name.size() <= 60 && name.find_first_of("0123456789") == name.npos) return std::string(name);
  }
  return {};
}

}  // namespace

Byline ReadByline(const Blocks& blocks, std::string_view title, bool day_first) {
  Byline byline;
  const auto& list = blocks.list;
  const auto headline = std::find_if(list.begin(), list.end(), [&](const Block& block) {
    return !title.empty() && EqualsIgnoreCase(blocks.Text(block), title);
  });
  if (headline == list.end()) return byline;
  const auto read = [&](const Block& block) {
    if (block.words > kBylineWordsMax) return;
    const std::string_view line = blocks.Text(block);
    if (!byline.published) byline.published = ParseDate(line, day_first);
    if (byline.author.empty()) byline.author = AuthorOf(line);
  };
  const size_t at = headline - list.begin();
  for (size_t i = at + 1; i < list.size() && i <= at + kLinesBelow; ++i) read(list[i]);
  for (size_t i = at; i-- > 0 && i + kLinesAbove >= at;) read(list[i]);
  return byline;
}

}  // namespace racewatch::ingest::page
