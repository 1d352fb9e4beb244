// The streams that feed readers may follow: every article, every theme, every target, all alerts and those of one rule, each
// as Atom and as JSON Feed, newest first, in pages that do not shift while new entries come. An article stands once, at the
// place of its last revision, until its text is removed; an alert stands once, with its last state. Answers are read through
// Query; any thread. A reader that sends back the ETag gets 304 until something has changed.
#pragma once

#include <vector>

#include "store/endpoint.h"

namespace racewatch::store {

// For HttpApi; lives as long as the process.
const std::vector<Endpoint>& StreamEndpoints();

}  // namespace racewatch::store
