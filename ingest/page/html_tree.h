// The tree of one page in two flat arrays. Nodes stand in document order and a node's subtree is the range
// [i, nodes[i].end), so walks are loops over indices and sums over subtrees run backwards without a stack.
// Texts and attribute values are views into the page's bytes, entities not yet decoded. A Tree is reused from
// page to page by one thread; ParseHtml clears it and keeps its memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ingest/page/html_names.h"

namespace racewatch::ingest::page {

struct HtmlAttr {
  Attr name = Attr::kNone;
  std::string_view value;
};

struct Node {
  uint32_t parent = 0;
  uint32_t end = 0;        // one past the last node of the subtree
  uint32_t attr_begin = 0; // into Tree::attrs
  uint16_t attr_count = 0;
  Tag tag = Tag::kText;
  std::string_view text;   // of text nodes, and the content of kRaw elements that are kept
};

struct Tree {
  std::vector<Node> nodes;  // nodes[0] is the root, which holds everything
  std::vector<HtmlAttr> attrs;
  uint32_t body = 0;         // index of <body>, 0 when there is none
  uint32_t elements = 0;
  size_t script_bytes = 0;   // of scripts, which are not kept unless they are JSON-LD
  bool truncated = false;    // a limit was reached; the rest of the page is missing

  // The attribute's raw value, empty when absent. Of a repeated attribute the first counts.
  std::string_view Get(uint32_t node, Attr name) const;
  bool Has(uint32_t node, Attr name) const;
};

inline constexpr uint32_t kNodesMax = 600'000;
inline constexpr uint32_t kDepthMax = 256;
inline constexpr uint32_t kAttrsPerElementMax = 24;

// Linear in `html` (valid UTF-8), which must outlive the tree. Nesting rules are those of the standard where
// they change what is inside what (ends of <p>, <li>, cells, links); misnested inline markup is not re-opened.
void ParseHtml(std::string_view html, Tree* tree);

}  // namespace racewatch::ingest::page
