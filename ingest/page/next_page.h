// The next page of an article that is spread over several: a link whose address is that of the article with the next
// number, in one of the forms that news sites use. What a link says does not matter, so comments and neighbouring articles are
// not taken for it. Pure.
#pragma once

#include <string>

#include "ingest/page/html_tree.h"
#include "ingest/page/page.h"

namespace racewatch::ingest::page {

// Absolute; empty when there is none. Uses options.url, first_url and page_number.
std::string NextPage(const Tree& tree, const ExtractOptions& options);

}  // namespace racewatch::ingest::page
