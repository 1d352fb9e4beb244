// The page's text as a list of blocks: runs of text between block boundaries, decoded and collapsed, each with
// what surrounds it. Choosing the article is choosing blocks. Built in one pass over the tree; reused from page
// to page by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/page/html_tree.h"

namespace racewatch::ingest::page {

struct Block {
  uint32_t node = 0;      // the innermost block element around it
  uint32_t first = 0;     // its first text node
  uint32_t begin = 0;     // into Blocks::text
  uint32_t end = 0;
  uint32_t link_bytes = 0;
  uint16_t words = 0;
  Tag tag = Tag::kDiv;    // of `node`
  bool hidden = false;    // inside an element that boilerplate rules leave out
};

struct Blocks {
  std::string text;
  std::vector<Block> list;

  std::string_view Text(const Block& block) const {
    return std::string_view(text).substr(block.begin, block.end - block.begin);
  }
};

// Reads the blocks below `root`; what stands in <noscript> only when asked.
void ReadBlocks(const Tree& tree, uint32_t root, Blocks* blocks, bool with_noscript = false);

}  // namespace racewatch::ingest::page
