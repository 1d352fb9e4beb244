#include "store/article_filter.h"

#include <algorithm>

#include <unicode/unistr.h>

#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/store_service.pb.h"

namespace racewatch::store {
namespace {

constexpr size_t kWordsMax = 20;

std::string Fold(const std::string& text) {
  std::string out;
  icu::UnicodeString::fromUTF8(text).foldCase().toUTF8String(out);
  return out;
}

template <size_t N>
base::Status Find(const char* field, const std::array<std::string_view, N>& set, const std::string& value,
                  std::optional<size_t>* out) {
  if (value.empty()) return {};
  *out = base::IndexOf(set, value);
  if (*out) return {};
  std::string known;
  for (const auto name : set) known.append(known.empty() ? "" : ", ").append(name);
  return base::InvalidArgument("filter." + std::string(field) + ": unknown '" + value.substr(0, 60) + "'; known are " + known);
}

}  // namespace

base::Result<CompiledFilter> CompiledFilter::Make(const v1::ArticleFilter& filter, const std::vector<SavedQuery>& queries) {
  CompiledFilter out;
  RW_RETURN_IF_ERROR(Find("theme", base::kThemes, filter.theme(), &out.theme_));
  RW_RETURN_IF_ERROR(Find("target", base::kTargets, filter.target(), &out.target_));
  RW_RETURN_IF_ERROR(Find("position", base::kPositions, filter.position(), &out.position_));
  RW_RETURN_IF_ERROR(Find("lean", base::kLeans, filter.lean(), &out.lean_));
  RW_RETURN_IF_ERROR(Find("language", base::kLanguages, filter.language(), &out.language_));
  if (!filter.query().empty()) {
    const SavedQuery* query = FindQuery(queries, filter.query());
    if (query == nullptr) return base::InvalidArgument("filter.query: " + UnknownQuery(queries, filter.query()));
    out.query_ = query->slot;
  }
  out.publisher_ = filter.publisher();
  out.relevant_only_ = filter.relevant_only();
  const std::string folded = Fold(filter.text());
  for (size_t start = 0; start < folded.size();) {
    const size_t end = std::min(folded.find_first_of(" \t\r\n", start), folded.size());
    if (end > start) out.words_.push_back(folded.substr(start, end - start));
    start = end + 1;
  }
  if (out.words_.size() > kWordsMax) return base::InvalidArgument("filter.text: at most 20 words");
  if (filter.has_from()) out.from = filter.from().seconds() * 1000;
  if (filter.has_to()) out.to = filter.to().seconds() * 1000;
  if (out.from && out.to && *out.to < *out.from) return base::InvalidArgument("filter.to: before filter.from");
  return out;
}

bool CompiledFilter::MatchesCounts(const Contribution& what) const {
  const Labels& labels = what.labels;
  if (relevant_only_ && !labels.relevant) return false;
  if (theme_ && !(labels.themes >> *theme_ & 1u)) return false;
  if (lean_ && labels.lean != *lean_ + 1) return false;
  if (language_ && what.language != *language_) return false;
  if (query_ && !std::binary_search(what.queries.begin(), what.queries.end(), *query_)) return false;
  if (target_ && labels.positions[*target_] == 0) return false;
  if (target_ && position_ && labels.positions[*target_] != *position_ + 1) return false;
  if (!target_ && position_) {
    bool any = false;
    for (const uint8_t position : labels.positions) any |= position == *position_ + 1;
    if (!any) return false;
  }
  if (from && (what.event.ms <= 0 || what.event.ms < *from)) return false;
  return !to || (what.event.ms > 0 && what.event.ms < *to);
}

bool CompiledFilter::MatchesArticle(const v1::Article& article) const {
  if (!publisher_.empty() && article.publisher() != publisher_) return false;
  if (words_.empty()) return true;
  const std::string text = Fold(article.title() + "\n" + article.text());
  for (const auto& word : words_)
    if (text.find(word) == std::string::npos) return false;
  return true;
}

}  // namespace racewatch::store
