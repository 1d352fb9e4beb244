#include "ingest/entry_filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "ingest/feed/html_text.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::ingest {
namespace {

constexpr std::array<std::string_view, 9> kFieldNames = {"title", "link", "text", "author", "category", "id", "language", "source", "any"};
constexpr int64_t kPatternBytesMax = 1 << 20;  // of the compiled expression

}  // namespace

EntryFilter::EntryFilter() = default;
EntryFilter::EntryFilter(EntryFilter&&) noexcept = default;
EntryFilter& EntryFilter::operator=(EntryFilter&&) noexcept = default;
EntryFilter::~EntryFilter() = default;

base::Status EntryFilter::Add(const Rules& rules, const std::string& list, std::vector<Rule>* out) {
  for (int i = 0; i < rules.size(); ++i) {
    const std::string where = list + "[" + std::to_string(i) + "]: ";
    const auto name = std::find(kFieldNames.begin(), kFieldNames.end(), rules[i].field());
    if (name == kFieldNames.end())
      return base::InvalidArgument(where + "field '" + rules[i].field() + "' is not title, link, text, author, category, id, language, source or any");
    if (rules[i].pattern().empty()) return base::InvalidArgument(where + "an empty pattern applies to everything");
    re2::RE2::Options options;
    options.set_case_sensitive(false);
    options.set_log_errors(false);
    options.set_max_mem(kPatternBytesMax);
    auto pattern = std::make_unique<re2::RE2>(rules[i].pattern(), options);
    if (!pattern->ok()) return base::InvalidArgument(where + "pattern '" + rules[i].pattern() + "': " + pattern->error());
    out->push_back({static_cast<Field>(name - kFieldNames.begin()), std::move(pattern)});
  }
  return {};
}

base::Result<EntryFilter> EntryFilter::Compile(const Rules& include, const Rules& exclude) {
  EntryFilter filter;
  RW_RETURN_IF_ERROR(Add(include, "include", &filter.include_));
  RW_RETURN_IF_ERROR(Add(exclude, "exclude", &filter.exclude_));
  return filter;
}

bool EntryFilter::Applies(const Rule& rule, const FeedEntry& entry) {
  const auto in = [&rule](const std::string& text) { return !text.empty() && re2::RE2::PartialMatch(text, *rule.pattern); };
  const auto in_text = [&] { return in(HtmlToText(entry.summary)) || in(HtmlToText(entry.content)); };
  const auto in_categories = [&] { return std::any_of(entry.categories.begin(), entry.categories.end(), in); };
  switch (rule.field) {
    case Field::kTitle: return in(entry.title);
    case Field::kLink: return in(entry.link);
    case Field::kText: return in(entry.title) || in_text();
    case Field::kAuthor: return in(entry.author);
    case Field::kCategory: return in_categories();
    case Field::kId: return in(entry.id);
    case Field::kLanguage: return in(entry.language);
    case Field::kSource: return in(entry.source.title) || in(entry.source.link);
    case Field::kAny:
      return in(entry.title) || in(entry.link) || in(entry.author) || in(entry.id) || in(entry.language) || in(entry.source.title) ||
             in(entry.source.link) || in_categories() || in_text();
  }
  return false;
}

bool EntryFilter::Takes(const FeedEntry& entry) const {
  const auto applies = [&entry](const Rule& rule) { return Applies(rule, entry); };
  if (std::any_of(exclude_.begin(), exclude_.end(), applies)) return false;
  return include_.empty() || std::any_of(include_.begin(), include_.end(), applies);
}

}  // namespace racewatch::ingest
