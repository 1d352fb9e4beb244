// The include and exclude rules of a feed: which of its entries are taken. RE2, so matching is linear whatever the
// operator writes. Constant after Compile, any thread.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ingest/feed/feed.h"

namespace re2 {
class RE2;
}
namespace racewatch::v1 {
class EntryRule;
}

namespace racewatch::ingest {

class EntryFilter {
 public:
  using Rules = google::protobuf::RepeatedPtrField<v1::EntryRule>;

  // INVALID_ARGUMENT `include[1]: …` names the first rule that is none.
  static base::Result<EntryFilter> Compile(const Rules& include, const Rules& exclude);
  EntryFilter(EntryFilter&&) noexcept;
  EntryFilter& operator=(EntryFilter&&) noexcept;
  ~EntryFilter();

  // True when one of `include` applies (or there is none) and none of `exclude` does.
  bool Takes(const FeedEntry& entry) const;

 private:
  enum class Field { kTitle, kLink, kText, kAuthor, kCategory, kId, kLanguage, kSource, kAny };
  struct Rule {
    Field field;
    std::unique_ptr<re2::RE2> pattern;
  };
  EntryFilter();
  static base::Status Add(const Rules& rules, const std::string& list, std::vector<Rule>* out);
  static bool Applies(const Rule& rule, const FeedEntry& entry);

  std::vector<Rule> include_;
  std::vector<Rule> exclude_;
};

}  // namespace racewatch::ingest
