#include "ingest/page/byline.h"

#include <algorithm>

#include "ingest/page/dates.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

constexpr size_t kLinesBelow = 14;
constexpr size_t kLinesAbove = 5;
constexpr size_t kBylineWordsMax = 24;
constexpr size_t kNoticeWordsMax = 40;
constexpr size_t kBylineLettersMax = 70;
constexpr size_t kDateLettersMax = 40;

// "By Jane Doe" → "Jane Doe"; nothing when the line is no byline.
std::string AuthorOf(std::string_view line) {
  for (const std::string_view lead : {"by ", "by: ", "written by ", "posted by ", "author: ", "von ", "par ", "por ", "作者：", "作者:", "文／", "文/", "记者 ", "記者 "}) {
    if (!StartsWithIgnoreCase(line, lead)) continue;
    std::string_view name = Trim(line.substr(lead.size()));
    for (const std::string_view stop : {" | ", " • ", " · ", " on ", " - ", " – ", ", ", "Published", "Updated", " / ", "  "})
      if (const size_t at = name.find(stop); at != name.npos) name = Trim(name.substr(0, at));
    const size_t words = CountWords(name);
    if (words >= 1 && words <= 8 && name.size() <= 60 && name.find_first_of("0123456789") == name.npos) return std::string(name);
  }
  return {};
}

// The letters and digits of `text` in lower case: what two spellings of a headline share.
std::string Letters(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (const auto b = static_cast<uint8_t>(c); b >= 0x80 || isalnum(b)) out.push_back(static_cast<char>(b < 0x80 ? tolower(b) : b));
  return out;
}

// The block that is the headline: the same letters as the title, else the first <h1>, else the first
// heading long enough to be one.
std::vector<Block>::const_iterator FindHeadline(const Blocks& blocks, std::string_view title) {
  const auto& list = blocks.list;
  const std::string letters = Letters(title);
  const auto same = std::find_if(list.begin(), list.end(), [&](const Block& block) {
    return !letters.empty() && block.end - block.begin < title.size() + 32 && Letters(blocks.Text(block)) == letters;
  });
  if (same != list.end()) return same;
  const auto h1 = std::find_if(list.begin(), list.end(), [](const Block& block) { return block.tag == Tag::kH1; });
  if (h1 != list.end()) return h1;
  return std::find_if(list.begin(), list.end(), [](const Block& block) { return IsHeading(block.tag) && block.words >= 4; });
}

// The date behind "originally published" in a short line.
std::optional<PageTime> FirstPublished(std::string_view line, bool day_first) {
  for (const std::string_view phrase : {"originally published", "first published", "originally appeared", "originally posted"}) {
    const auto hit = std::search(line.begin(), line.end(), phrase.begin(), phrase.end(),
                                 [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
    if (hit != line.end()) return ParseDate(line.substr(hit - line.begin()), day_first);
  }
  return std::nullopt;
}

}  // namespace

Byline ReadByline(const Blocks& blocks, std::string_view title, bool day_first) {
  Byline byline;
  const auto& list = blocks.list;
  for (const Block& block : list)
    if (block.words <= kNoticeWordsMax && !byline.first_published)
      byline.first_published = FirstPublished(blocks.Text(block), day_first);
  const auto headline = FindHeadline(blocks, title);
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

bool IsByline(std::string_view line) {
  if (TextWeight(line) > kBylineLettersMax || line.ends_with('.')) return false;
  if (!AuthorOf(line).empty()) return true;
  return TextWeight(line) <= kDateLettersMax && ParseDate(line).has_value();
}

}  // namespace racewatch::ingest::page
