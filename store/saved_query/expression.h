// A Boolean query over articles: parsing with the place of each mistake, and evaluation. Grammar, loosest first:
//   or      = and { "OR" and }
//   and     = not { [ "AND" ] not }
//   not     = { "NOT" } primary
//   primary = "(" or ")" | [ FIELD ":" ] ( WORD | WORD"*" | "\"" PHRASE "\"" ) | LABEL-FIELD ":" VALUE
// Values are immutable after Parse; Matches may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/saved_query/search_text.h"
#include "store/series.h"

namespace racewatch::store {

// What a query may ask of an article. Borrows everything.
struct QuerySubject {
  const SearchText& title;
  const SearchText& text;
  const Labels& labels;
  uint8_t language = 0;  // index into base::kLanguages
  uint8_t group = 0;     // index into base::kPublisherGroups
  std::string_view publisher;
};

class BooleanQuery {
 public:
  static constexpr size_t kBytesMax = 4096;
  static constexpr size_t kTermsMax = 200;
  static constexpr size_t kDepthMax = 50;

  // INVALID_ARGUMENT `column N: what`; columns count characters from 1.
  static base::Result<BooleanQuery> Parse(std::string_view expression);

  bool Matches(const QuerySubject& subject) const;
  // False when title and text do not matter.
  bool reads_text() const;
  // Equal for equal meaning up to spelling (spaces, case of words, AND left out); stable over builds.
  uint64_t fingerprint() const;

 private:
  struct Node;
  friend class QueryParser;
  std::shared_ptr<const Node> root_;
};

}  // namespace racewatch::store
