#include "ingest/article_edit.h"

#include <xxhash.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

namespace racewatch::ingest {
namespace {

constexpr size_t kTitleBytesMax = 256;

std::string CutTitle(const std::string& title) {
  size_t end = std::min(title.size(), kTitleBytesMax);
  while (end < title.size() && end > 0 && (static_cast<unsigned char>(title[end]) & 0xC0) == 0x80) --end;
  return title.substr(0, end);
}

template <typename OnParagraph>
void ForEachParagraph(const std::string& text, const OnParagraph& on_paragraph) {
  int count = 0;
  for (size_t at = 0; at < text.size() && count < kEditParagraphsMax; ++count) {
    const size_t end = std::min(text.find("\n\n", at), text.size());
    on_paragraph(at, std::string_view(text).substr(at, end - at));
    at = end + 2;
  }
}

uint32_t HashOf(std::string_view paragraph) { return XXH32(paragraph.data(), paragraph.size(), 0); }

}  // namespace

void DescribeEdit(const v1::SeenArticle& before, v1::Article* article) {
  if (before.title().empty() || before.body_quality() != article->body_quality()) return;
  v1::ArticleEdit& edit = *article->mutable_edit();
  if (before.title() != CutTitle(article->title())) edit.set_title_before(before.title());
  std::unordered_map<uint32_t, uint32_t> old;
  for (const uint32_t hash : before.paragraphs()) ++old[hash];
  auto left = static_cast<uint32_t>(before.paragraphs_size());
  ForEachParagraph(article->text(), [&](size_t at, std::string_view paragraph) {
    const auto it = old.find(HashOf(paragraph));
    if (it != old.end() && it->second > 0) {
      --it->second;
      --left;
      return;
    }
    v1::TextSpan& span = *edit.add_added();
    span.set_start(static_cast<uint32_t>(at));
    span.set_length(static_cast<uint32_t>(paragraph.size()));
  });
  edit.set_removed_paragraphs(left);
}

void RememberVersion(const v1::Article& article, v1::SeenArticle* seen) {
  seen->set_title(CutTitle(article.title()));
  seen->clear_paragraphs();
  ForEachParagraph(article.text(), [&](size_t, std::string_view paragraph) { seen->add_paragraphs(HashOf(paragraph)); });
}

}  // namespace racewatch::ingest
