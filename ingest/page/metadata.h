// What the page's markup says about the article: meta tags, OpenGraph, microdata, <time>, <h1>, bylines, links,
// and JSON-LD. Fills everything of a Page but its text and walls. Pure; the tree must be built.
#pragma once

#include <string>
#include <string_view>

#include "ingest/page/html_tree.h"
#include "ingest/page/jsonld.h"
#include "ingest/page/page.h"

namespace racewatch::ingest::page {

// Sets the fields of `page` and leaves what JSON-LD said in `*jsonld`. `url` may be empty.
void ReadMetadata(const Tree& tree, std::string_view url, JsonLdArticle* jsonld, Page* page);

// The text below `node`, decoded and collapsed, silent elements left out; at most `bytes_max`.
std::string TextBelow(const Tree& tree, uint32_t node, size_t bytes_max);

// `link` against `base` (RFC 3986, section 5, without dot segments); `link` itself when there is no base.
std::string AbsoluteUrl(std::string_view base, std::string_view link);

}  // namespace racewatch::ingest::page
