// From what a caller names an article by to its id. Pure reads, any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// Id bytes of an article id in hexadecimal digits, or of the article behind an address. INVALID_ARGUMENT: neither;
// NOT_FOUND: no article has this address.
base::Result<std::string> ResolveArticle(const View& view, const std::string& text);

}  // namespace racewatch::store
