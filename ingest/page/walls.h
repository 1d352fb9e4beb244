// Recognises what stands in front of an article: consent dialogues, robot checks, paywalls, and shells that only
// a script would fill. Reads the finished tree, text and metadata; pure.
#pragma once

#include <string_view>

#include "ingest/page/blocks.h"
#include "ingest/page/html_tree.h"
#include "ingest/page/jsonld.h"
#include "ingest/page/page.h"

namespace racewatch::ingest::page {

// Sets the four flags of `page`, whose text and title must be filled. `url` may be empty.
void RecogniseWalls(const Tree& tree, const Blocks& blocks, const JsonLdArticle& jsonld, std::string_view url, Page* page);

}  // namespace racewatch::ingest::page
