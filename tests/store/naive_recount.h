// An independent recount of a stream of tagged articles, written as plainly as the rules read and without
// any code of the store: the oracle of the exactness tests. Keys are text such as
// `hour/489999/language=en/theme=markets`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/engine.h"

namespace racewatch::v1 {
class StoreConfig;
}

namespace racewatch::store {

using NaiveCounts = std::map<std::string, int64_t>;

// Saved queries in the order of their slots, and what each means in plain words.
struct NaiveQuery {
  std::string expression;
  std::function<bool(const v1::TaggedArticle&)> meets;
};
const std::vector<NaiveQuery>& NaiveQueries();
// NaiveQueries() as a configuration, named q0, q1, …
void AddNaiveQueries(v1::StoreConfig* config);

// Articles and publishers (suffix `#publishers`) of every window, slice and series, and `first/…`.
NaiveCounts Recount(const std::vector<v1::TaggedArticle>& stream, int late_days_max = 90,
                    const std::vector<NaiveQuery>& queries = {});

// The same form read out of a store's rows; articles and publishers only.
NaiveCounts ReadCounts(const View& view);

}  // namespace racewatch::store
