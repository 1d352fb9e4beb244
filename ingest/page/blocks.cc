#include "ingest/page/blocks.h"

#include <algorithm>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

class BlockReader {
 public:
  BlockReader(const Tree& tree, bool with_noscript, Blocks* blocks)
      : tree_(tree), with_noscript_(with_noscript), blocks_(*blocks) {
    blocks_.text.clear();
    blocks_.list.clear();
  }

  void Read(uint32_t root) {
    uint32_t block_node = root;
    std::vector<uint32_t> open_blocks = {root};
    for (uint32_t i = root + 1; i < tree_.nodes[root].end;) {
      const Node& n = tree_.nodes[i];
      while (open_blocks.size() > 1 && i >= tree_.nodes[open_blocks.back()].end) {
        CloseLine();
        open_blocks.pop_back();
      }
      block_node = open_blocks.back();
      if (i >= link_end_) link_end_ = 0;
      if (n.tag == Tag::kText) {
        AddText(i, block_node);
      } else if (IsSilent(n.tag) || IsFootnoteMark(i)) {
        if (IsBlock(n.tag)) CloseLine();
        i = n.end;
        continue;
      } else if (n.tag == Tag::kBr) {
        LineBreak(i);
      } else if (n.tag == Tag::kA) {
        link_end_ = std::max(link_end_, n.end);
      } else if (IsBlock(n.tag)) {
        CloseLine();
        if (n.end > i + 1) open_blocks.push_back(i);
      }
      ++i;
    }
    CloseLine();
  }

 private:
  bool IsSilent(Tag tag) const {
    return (TagBits(tag) & tag_bits::kSilent) && !(with_noscript_ && tag == Tag::kNoscript);
  }

  // <sup><a href="#fn3">3</a></sup>
  bool IsFootnoteMark(uint32_t i) const {
    const Node& n = tree_.nodes[i];
    if (n.tag != Tag::kSup || n.end - i > 8) return false;
    for (uint32_t k = i + 1; k < n.end; ++k)
      if (tree_.nodes[k].tag == Tag::kA) return tree_.Get(k, Attr::kHref).find('#') != std::string_view::npos;
    return false;
  }

  void AddText(uint32_t i, uint32_t block_node) {
    if (!open_) {
      if (Trim(tree_.nodes[i].text).empty()) return;
      blocks_.list.push_back({.node = block_node, .first = i, .begin = Size(), .tag = tree_.nodes[block_node].tag});
      open_ = true;
      breaks_ = 0;
    }
    const uint32_t before = Size();
    AppendCollapsed(tree_.nodes[i].text, blocks_.list.back().begin, &blocks_.text);
    if (Size() > before + 1) breaks_ = 0;
    if (link_end_) blocks_.list.back().link_bytes += Size() - before;
  }

  // One <br> ends a line, two end the block.
  void LineBreak(uint32_t) {
    if (!open_) return;
    if (++breaks_ >= 2) return CloseLine();
    if (Size() > blocks_.list.back().begin && blocks_.text.back() != ' ') blocks_.text.push_back(' ');
  }

  void CloseLine() {
    if (!open_) return;
    open_ = false;
    Block& block = blocks_.list.back();
    while (Size() > block.begin && blocks_.text.back() == ' ') blocks_.text.pop_back();
    block.end = Size();
    block.link_bytes = std::min(block.link_bytes, block.end - block.begin);
    block.words = static_cast<uint16_t>(std::min<size_t>(CountWords(blocks_.Text(block)), 65535));
    if (block.words == 0) blocks_.list.pop_back();
  }

  uint32_t Size() const { return static_cast<uint32_t>(blocks_.text.size()); }

  const Tree& tree_;
  const bool with_noscript_;
  Blocks& blocks_;
  uint32_t link_end_ = 0;
  bool open_ = false;
  int breaks_ = 0;
};

}  // namespace

void ReadBlocks(const Tree& tree, uint32_t root, Blocks* blocks, bool with_noscript) {
  BlockReader(tree, with_noscript, blocks).Read(root);
}

}  // namespace racewatch::ingest::page
