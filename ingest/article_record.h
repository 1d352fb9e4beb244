// An article as it travels on the bus. Pure function, any thread.
#pragma once

#include "base/bus/record.h"

namespace racewatch::v1 {
class Article;
}

namespace racewatch::ingest {

// For racewatch.backfill.v1 when the article's lane says so, else for racewatch.articles.v1; the key is its id.
base::Record ArticleRecord(const v1::Article& article);

}  // namespace racewatch::ingest
