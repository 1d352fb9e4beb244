#include "ingest/page/html_tree.h"

#include <array>

#include "ingest/page/html_tokenizer.h"

namespace racewatch::ingest::page {
namespace {

bool IsInline(Tag tag) { return !(TagBits(tag) & (tag_bits::kBlock | tag_bits::kScope)); }
bool IsCell(Tag tag) { return tag == Tag::kTd || tag == Tag::kTh; }
bool IsTablePart(Tag tag) {
  return IsCell(tag) || tag == Tag::kTr || tag == Tag::kTbody || tag == Tag::kThead || tag == Tag::kTfoot ||
         tag == Tag::kCaption;
}

class TreeBuilder {
 public:
  explicit TreeBuilder(Tree* tree) : tree_(*tree) {
    tree_.nodes.clear();
    tree_.attrs.clear();
    tree_.body = tree_.elements = 0;
    tree_.script_bytes = 0;
    tree_.truncated = false;
    tree_.nodes.push_back({.tag = Tag::kRoot});
    open_.push_back({0, Tag::kRoot, false});
  }

  bool full() const { return tree_.truncated; }

  void StartTag(Tag tag, const std::vector<HtmlAttr>& attrs) {
    if (tag == Tag::kHtml || tag == Tag::kBody || tag == Tag::kHead)
      if (OpenDocumentPart(tag)) return;
    if (!(TagBits(tag) & tag_bits::kHeadOnly) && Count(Tag::kHead)) PopTo(Tag::kHead);
    CloseImplied(tag);
    const uint32_t node = Add(tag);
    for (const HtmlAttr& attr : attrs) tree_.attrs.push_back(attr);
    tree_.nodes[node].attr_count = static_cast<uint16_t>(attrs.size());
    ++tree_.elements;
    if (tag == Tag::kBody && !tree_.body) tree_.body = node;
    if (TagBits(tag) & tag_bits::kVoid) return;
    if (open_.size() >= kDepthMax) {
      ++beyond_;
      return;
    }
    open_.push_back({node, tag, false});
    ++Count(tag);
  }

  void EndTag(Tag tag) {
    if (beyond_ > 0) {  // closes something that was too deep to be opened
      --beyond_;
      return;
    }
    if (tag == Tag::kBody || tag == Tag::kHtml || Count(tag) == 0) return;
    for (size_t i = open_.size() - 1; i > 0; --i) {
      if (open_[i].tag == tag) {
        if (blocks_above_ && IsInline(tag)) open_[i].ended = true;  // ends with the blocks inside it
        else Pop(i);
        break;
      }
      if (StopsEndTag(tag, open_[i].tag)) break;
      if (!IsInline(open_[i].tag)) blocks_above_ = true;
    }
    blocks_above_ = false;
  }

  void Text(std::string_view text) {
    const uint32_t node = Add(Tag::kText);
    tree_.nodes[node].text = text;
  }

  void RawText(Tag tag, std::string_view text) {
    if (tag == Tag::kScript) tree_.script_bytes += text.size();
    if (beyond_ == 0) tree_.nodes[open_.back().node].text = text;
  }

  void Finish() { Pop(1); tree_.nodes[0].end = static_cast<uint32_t>(tree_.nodes.size()); }

 private:
  struct Open {
    uint32_t node;
    Tag tag;
    bool ended;
  };

  uint32_t& Count(Tag tag) { return counts_[static_cast<size_t>(tag)]; }

  uint32_t Add(Tag tag) {
    const auto node = static_cast<uint32_t>(tree_.nodes.size());
    tree_.nodes.push_back({.parent = open_.back().node,
                           .end = node + 1,
                           .attr_begin = static_cast<uint32_t>(tree_.attrs.size()),
                           .tag = tag});
    if (tree_.nodes.size() >= kNodesMax) tree_.truncated = true;
    return node;
  }

  // Closes open_[i] and everything above it, then what only waited for that.
  void Pop(size_t i) {
    const auto end = static_cast<uint32_t>(tree_.nodes.size());
    while (i > 0 && (open_.size() > i || open_.back().ended) && open_.size() > 1) {
      tree_.nodes[open_.back().node].end = end;
      --Count(open_.back().tag);
      open_.pop_back();
    }
  }

  void PopTo(Tag tag) {
    for (size_t i = open_.size() - 1; i > 0; --i)
      if (open_[i].tag == tag) return Pop(i);
  }

  // True when the start tag is a repetition and to be ignored.
  bool OpenDocumentPart(Tag tag) {
    if (tag == Tag::kHead) return Count(Tag::kHead) || Count(Tag::kBody);
    if (tag == Tag::kBody && Count(Tag::kHead)) PopTo(Tag::kHead);
    return Count(tag) > 0;
  }

  // The search for the element that an end tag closes stops here.
  static bool StopsEndTag(Tag tag, Tag at) {
    if (IsTablePart(tag) || tag == Tag::kTable) return at == Tag::kTable && tag != Tag::kTable;
    if (tag == Tag::kLi && (at == Tag::kUl || at == Tag::kOl)) return true;
    return TagBits(at) & tag_bits::kScope;
  }

  // Closes the nearest open element that `closes` names, unless one that `stops` names lies nearer.
  template <typename Closes, typename Stops>
  void CloseNearest(Closes closes, Stops stops) {
    for (size_t i = open_.size() - 1; i > 0; --i) {
      if (closes(open_[i].tag)) return Pop(i);
      if (stops(open_[i].tag)) return;
    }
  }

  void CloseImplied(Tag tag) {
    const uint8_t bits = TagBits(tag);
    if (bits & tag_bits::kEndsP && Count(Tag::kP))
      CloseNearest([](Tag t) { return t == Tag::kP; },
                   [](Tag t) { return (TagBits(t) & tag_bits::kScope) || t == Tag::kButton; });
    if (IsHeading(tag) && IsHeading(open_.back().tag)) Pop(open_.size() - 1);
    if (tag == Tag::kLi && Count(Tag::kLi))
      CloseNearest([](Tag t) { return t == Tag::kLi; },
                   [](Tag t) { return t == Tag::kUl || t == Tag::kOl || t == Tag::kMenu || (TagBits(t) & tag_bits::kScope); });
    if ((tag == Tag::kDt || tag == Tag::kDd) && (Count(Tag::kDt) || Count(Tag::kDd)))
      CloseNearest([](Tag t) { return t == Tag::kDt || t == Tag::kDd; },
                   [](Tag t) { return t == Tag::kDl || (TagBits(t) & tag_bits::kScope); });
    if (tag == Tag::kOption && open_.back().tag == Tag::kOption) Pop(open_.size() - 1);
    if (tag == Tag::kA && Count(Tag::kA))
      CloseNearest([](Tag t) { return t == Tag::kA; }, [](Tag t) { return !IsInline(t); });
    if (IsTablePart(tag) && Count(Tag::kTable)) CloseTablePart(tag);
  }

  void CloseTablePart(Tag tag) {
    const auto table = [](Tag t) { return t == Tag::kTable; };
    if (IsCell(tag)) return CloseNearest(IsCell, [](Tag t) { return t == Tag::kTr || t == Tag::kTable; });
    if (tag == Tag::kTr) return CloseNearest([](Tag t) { return t == Tag::kTr; }, table);
    CloseNearest([](Tag t) { return t == Tag::kTbody || t == Tag::kThead || t == Tag::kTfoot || t == Tag::kCaption; },
                 table);
  }

  Tree& tree_;
  std::vector<Open> open_;
  std::array<uint32_t, static_cast<size_t>(Tag::kCount)> counts_{};
  uint64_t beyond_ = 0;
  bool blocks_above_ = false;
};

}  // namespace

std::string_view Tree::Get(uint32_t node, Attr name) const {
  const Node& n = nodes[node];
  for (uint32_t i = n.attr_begin; i < n.attr_begin + n.attr_count; ++i)
    if (attrs[i].name == name) return attrs[i].value;
  return {};
}

bool Tree::Has(uint32_t node, Attr name) const {
  const Node& n = nodes[node];
  for (uint32_t i = n.attr_begin; i < n.attr_begin + n.attr_count; ++i)
    if (attrs[i].name == name) return true;
  return false;
}

void ParseHtml(std::string_view html, Tree* tree) {
  TreeBuilder builder(tree);
  Tokenizer<TreeBuilder>(html, &builder).Run();
  builder.Finish();
}

}  // namespace racewatch::ingest::page
