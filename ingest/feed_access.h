// From a feed's access configuration to what goes along with its requests: the Authorization, Cookie and other headers,
// the proxy. Secrets in files are read here, once. Pure but for that, any thread.
#pragma once

#include "base/status.h"
#include "ingest/feed_list.h"

namespace racewatch::v1 {
class FeedAccess;
}

namespace racewatch::ingest {

// NOT_FOUND: a secret's file cannot be read. INVALID_ARGUMENT: two ways to authenticate, a header with a line break, a
// proxy we do not know.
base::Result<FeedAccess> ReadFeedAccess(const v1::FeedAccess& config);

// Without reading files: the first mistake, or OK.
base::Status CheckFeedAccess(const v1::FeedAccess& config);

}  // namespace racewatch::ingest
