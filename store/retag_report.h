// What a re-tag would change: the labels of each article in the active generation beside those in the one being built, per
// theme, target × position, lean and relevance, with examples. Reads one snapshot; a million articles take seconds, so it is
// no call for a dashboard. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// One JSON object: generation, model_version, replaces; compared (articles that both know by id), changed, only_active,
// only_new; series [{series, before, after (all that is counted, frozen days included), gained, lost (of those compared),
// examples [{change, article_id, title, url, publisher, before, after}]}], those without any change left out; stance_moves
// [{target, before, after, articles}]. Examples are the newest, at most `examples` in each direction. `whole` holds all generations.
// FAILED_PRECONDITION: no generation is being built.
base::Result<std::string> RetagReport(const View& whole, size_t examples);

}  // namespace racewatch::store
