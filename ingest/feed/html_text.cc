#include "ingest/feed/html_text.h"

#include <algorithm>
#include <array>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_scan.h"

namespace racewatch::ingest {
namespace {

using feed::FindByte;
using feed::HtmlTag;

enum class Break : unsigned char { kNone, kSpace, kLine, kParagraph };

// Blocks, sorted: a paragraph begins and ends with each.
constexpr auto kBlocks = std::to_array<std::string_view>(
    {"address", "article", "aside",    "blockquote", "center",  "dd",      "details", "div",
     "dl",      "dt",      "fieldset", "figcaption", "figure",  "footer",  "form",    "h1",
     "h2",      "h3",      "h4",       "h5",         "h6",      "header",  "hr",      "main",
     "nav",     "ol",      "p",        "pre",        "section", "summary", "table",   "ul"});
static_assert(std::is_sorted(kBlocks.begin(), kBlocks.end()));
constexpr auto kLines = std::to_array<std::string_view>({"br", "li", "option", "tr"});
constexpr auto kCells = std::to_array<std::string_view>({"img", "td", "th"});

Break BreakOf(std::string_view name) {
  char low[16];
  if (name.size() > sizeof low) return Break::kNone;
  for (size_t i = 0; i < name.size(); ++i) low[i] = feed::ToLower(name[i]);
  const std::string_view key(low, name.size());
  if (std::binary_search(kBlocks.begin(), kBlocks.end(), key)) return Break::kParagraph;
  if (std::binary_search(kLines.begin(), kLines.end(), key)) return Break::kLine;
  if (std::binary_search(kCells.begin(), kCells.end(), key)) return Break::kSpace;
  return Break::kNone;
}

// Collects visible text; breaks are held back until more text follows, so none is left at either
// end.
class TextSink {
 public:
  explicit TextSink(size_t size_hint) { out_.reserve(size_hint); }

  void Ask(Break kind) { pending_ = std::max(pending_, kind); }

  // Runs of white space become one space.
  void Append(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
      const size_t width = feed::SpaceWidth(text, at);
      if (width > 0) {
        Ask(Break::kSpace);
        at += width;
        continue;
      }
      size_t end = at + 1;
      while (end < text.size() && feed::SpaceWidth(text, end) == 0) ++end;
      WriteBreak();
      out_.append(text, at, end - at);
      at = end;
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  void WriteBreak() {
    if (!out_.empty()) {
      if (pending_ == Break::kSpace) out_.push_back(' ');
      if (pending_ == Break::kLine) out_.push_back('\n');
      if (pending_ == Break::kParagraph) out_.append("\n\n");
    }
    pending_ = Break::kNone;
  }

  std::string out_;
  Break pending_ = Break::kNone;
};

bool IsRawText(std::string_view name) {
  return feed::EqualsIgnoreCase(name, "script") || feed::EqualsIgnoreCase(name, "style");
}

// Walks the fragment once. `ceiling` is the widest break wanted: kSpace gives one line.
std::string Extract(std::string_view html, Break ceiling) {
  TextSink sink(html.size() / 2 + 16);
  std::string decoded;
  size_t at = 0;
  while (at < html.size()) {
    const size_t open = FindByte(html, '<', at);
    decoded.clear();
    feed::AppendDecoded(html.substr(at, open - at), nullptr, &decoded);
    sink.Append(decoded);
    if (open >= html.size()) break;
    const HtmlTag tag = feed::ReadHtmlTag(html, open);
    if (tag.length > 0) {
      at = open + tag.length;
      sink.Ask(std::min(BreakOf(tag.name), ceiling));
      if (IsRawText(tag.name) && !tag.closing && !tag.self_closing)
        at = feed::SkipRawText(html, tag.name, at);
    } else if (const size_t skip = feed::SkipHtmlDeclaration(html, open); skip > 0) {
      at = open + skip;
    } else {
      sink.Append("<");
      at = open + 1;
    }
  }
  return sink.Take();
}

}  // namespace

std::string HtmlToText(std::string_view html) { return Extract(html, Break::kParagraph); }

std::string HtmlToLine(std::string_view html) { return Extract(html, Break::kSpace); }

}  // namespace racewatch::ingest
