// Chooses, among the blocks of a page, those of the article. Three steps: hide what the markup names as page
// furniture, find the element that holds the article (paragraph weight that its children do not split), and drop
// single lines inside it that are no article text. After readability and trafilatura; the rules are ours.
#pragma once

#include <string>
#include <string_view>

#include "ingest/page/blocks.h"
#include "ingest/page/html_tree.h"

namespace racewatch::ingest::page {

// The article's paragraphs, separated by blank lines; empty when the page has none. `title` is left out where
// it repeats at the top. `blocks` is marked while choosing.
std::string ArticleText(const Tree& tree, std::string_view title, Blocks* blocks);

}  // namespace racewatch::ingest::page
