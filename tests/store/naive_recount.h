// An independent recount of a stream of tagged articles, written as plainly as the rules read and without
// any code of the store: the oracle of the exactness tests. Keys are text such as
// `hour/489999/language=en/theme=markets`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/engine.h"

namespace racewatch::store {

using NaiveCounts = std::map<std::string, int64_t>;

// Articles and publishers (suffix `#publishers`) of every window, slice and series, and `first/…`.
NaiveCounts Recount(const std::vector<v1::TaggedArticle>& stream, int late_days_max = 90);

// The same form read out of a store's rows; articles and publishers only.
NaiveCounts ReadCounts(const View& view);

}  // namespace racewatch::store
