// Page extraction: HTML bytes in, Page out, a pure function of its arguments. It sits behind the fetcher in
// the ingest role and behind `racewatch extract`. Any bytes are fine: time is linear in the input, memory and
// depth are bounded. Calls on several threads are independent; each thread keeps reusable buffers.
#pragma once

#include <string_view>

#include "base/status.h"
#include "ingest/page/page.h"

namespace racewatch::ingest {

// INVALID_ARGUMENT when the bytes are no HTML page (empty, binary, another format). A page without article
// text is not an error: its `text` is empty and the flags say why where that can be told.
base::Result<Page> ExtractPage(std::string_view bytes, const ExtractOptions& options = {});

}  // namespace racewatch::ingest
