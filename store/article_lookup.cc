#include "store/article_lookup.h"

#include "store/article_row.h"

namespace racewatch::store {

base::Result<std::string> ResolveArticle(const View& view, const std::string& text) {
  if (text.empty()) return base::InvalidArgument("article: an article id or an address is needed");
  if (const auto id = ParseArticleId(text)) return IdBytes(*id);
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kUrl, UrlKey(text)));
  if (!stored) return base::NotFound("article '" + text.substr(0, 200) + "': the store has not seen it");
  return *stored;
}

}  // namespace racewatch::store
