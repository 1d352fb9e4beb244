// v1.ArticleFilter made ready for use: labels as numbers, words case-folded once. Immutable after Make; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/counts.h"
#include "store/saved_query/saved_queries.h"

namespace racewatch::v1 {
class Article;
class ArticleFilter;
}  // namespace racewatch::v1

namespace racewatch::store {

class CompiledFilter {
 public:
  // INVALID_ARGUMENT: a label outside the taxonomy, an unknown query, or a time span that ends before it starts.
  // `queries`: those in force.
  static base::Result<CompiledFilter> Make(const v1::ArticleFilter& filter, const std::vector<SavedQuery>& queries);

  // What can be told from the counts alone; then what needs the text.
  bool MatchesCounts(const Contribution& what) const;
  bool MatchesArticle(const v1::Article& article) const;
  bool needs_article() const { return !publisher_.empty() || !words_.empty(); }

  std::optional<base::UnixMs> from, to;

 private:
  std::optional<size_t> theme_, target_, position_, lean_, language_;
  std::optional<QuerySlot> query_;
  std::string publisher_;
  std::vector<std::string> words_;
  bool relevant_only_ = false;
};

}  // namespace racewatch::store
