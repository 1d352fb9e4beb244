#include "ingest/page/content.h"

#include <algorithm>
#include <vector>

#include "ingest/page/boilerplate.h"
#include "ingest/page/byline.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// An element named as furniture stays when it holds more than this share of the page's paragraph weight: then
// the name is about something else ("has-sidebar", a popup that is the page).
constexpr double kFurnitureShareMax = 0.4;
constexpr double kCommentsShareMax = 0.9;
// "Related articles" ends the article only behind this share of its words; before, it is a box inside.
constexpr double kEndsAfterShare = 0.6;
// Headline, byline and date stand within the first words; further on the same words are text.
constexpr size_t kOpeningWords = 60;
constexpr size_t kLedeWordsMin = 32;
// When hiding leaves less of the weight than this, the page's names do not mean what they say.
constexpr double kLeftShareMin = 0.3;
// Descend into a child that holds at least this share of the weight found so far.
constexpr double kDescendShare = 0.75;

double LinkShare(const Block& block) {
  return block.end > block.begin ? static_cast<double>(block.link_bytes) / (block.end - block.begin) : 0;
}

// Numbers the items of ordered lists, for blocks that come in document order.
class ItemNumbers {
 public:
  explicit ItemNumbers(const Tree& tree) : tree_(tree) {}

  // The number of the item that `block` begins, 0 when it begins none.
  size_t NumberOf(const Block& block) {
    uint32_t item = block.node;
    for (int up = 0; up < 3 && tree_.nodes[item].tag != Tag::kLi; ++up) item = tree_.nodes[item].parent;
    const uint32_t list = tree_.nodes[item].parent;
    if (tree_.nodes[item].tag != Tag::kLi || tree_.nodes[list].tag != Tag::kOl || item == item_) return 0;
    if (list != list_) {
      list_ = list;
      item_ = list + 1;
      number_ = tree_.nodes[item_].tag == Tag::kLi;
    }
    for (; item_ < item && number_ < kItemsMax; item_ = tree_.nodes[item_].end)
      number_ += tree_.nodes[tree_.nodes[item_].end].tag == Tag::kLi;
    return item_ == item ? number_ : 0;
  }

 private:
  static constexpr size_t kItemsMax = 500;  // nested lists count anew after each inner one
  const Tree& tree_;
  uint32_t list_ = 0, item_ = 0;
  size_t number_ = 0;
};

class Chooser {
 public:
  Chooser(const Tree& tree, std::string_view title, Blocks* blocks) : tree_(tree), title_(title), blocks_(*blocks) {}

  std::string Choose() {
    if (blocks_.list.empty()) return {};
    hints_.assign(tree_.nodes.size(), kUnread);
    SumWeights();
    const double before = weights_[0];
    HideFurniture(hint_bits::kFurniture | hint_bits::kComments | hint_bits::kHidden);
    SumWeights();
    if (weights_[0] < kLeftShareMin * before) {  // the names mislead on this page: trust only what is not shown
      ShowAll();
      HideFurniture(hint_bits::kHidden | hint_bits::kComments);
      SumWeights();
    }
    const uint32_t top = Descend(FindRoot());
    return Emit(top);
  }

 private:
  static constexpr uint8_t kUnread = 0x80;

  uint8_t Hints(uint32_t node) {
    if (hints_[node] == kUnread) hints_[node] = ElementHints(tree_, node);
    return hints_[node];
  }

  // How much the block looks like a paragraph of running text, in letters.
  double Weight(const Block& block) const {
    if (block.hidden || IsHeading(block.tag)) return 0;
    const std::string_view text = blocks_.Text(block);
    const double links = LinkShare(block);
    const size_t letters = TextWeight(text);
    if (letters < 40 || links > 0.6) return 0;
    const bool sentence = text.find_first_of(".,;:?!") != text.npos || text.find("。") != text.npos || text.find("，") != text.npos;
    double weight = static_cast<double>(letters) * (1 - links);
    if (!sentence) weight *= 0.3;
    if (block.tag == Tag::kLi || block.tag == Tag::kTd) weight *= 0.7;
    return weight;
  }

  void SumWeights() {
    weights_.assign(tree_.nodes.size(), 0);
    for (const Block& block : blocks_.list) weights_[block.node] += Weight(block);
    for (size_t i = tree_.nodes.size() - 1; i > 0; --i)
      if (weights_[i] > 0) weights_[tree_.nodes[i].parent] += weights_[i];
  }

  // Marks the blocks inside elements that are named as furniture or are not shown.
  void HideFurniture(uint8_t allowed) {
    const double total = weights_[0];
    size_t at = 0;
    uint32_t hidden_end = 0;
    for (uint32_t i = 1; i < tree_.nodes.size() && at < blocks_.list.size(); ++i) {
      if (tree_.nodes[i].tag == Tag::kText) {
        while (at < blocks_.list.size() && blocks_.list[at].first <= i) {
          if (blocks_.list[at].first < hidden_end) blocks_.list[at].hidden = true;
          ++at;
        }
        continue;
      }
      if (i < hidden_end || tree_.nodes[i].attr_count + IsBlock(tree_.nodes[i].tag) == 0) continue;
      if (Hides(i, total, allowed)) hidden_end = tree_.nodes[i].end;
    }
  }

  void ShowAll() {
    for (Block& block : blocks_.list) block.hidden = false;
  }

  bool Hides(uint32_t i, double total, uint8_t allowed) {
    const Tag tag = tree_.nodes[i].tag;
    if (tag == Tag::kBody || tag == Tag::kHtml || tag == Tag::kHead) return false;
    const uint8_t all = Hints(i), hints = all & allowed;
    const double share = total > 0 ? weights_[i] / total : 0;
    if (hints & hint_bits::kHidden) return share < kFurnitureShareMax;
    if (hints & hint_bits::kComments) return share < kCommentsShareMax && tag != Tag::kArticle && tag != Tag::kMain;
    if (!(hints & hint_bits::kFurniture)) return false;
    if (all & hint_bits::kBody) return false;
    return share < kFurnitureShareMax;
  }

  // The smallest element named as the article's body that holds most of the weight, else <body>.
  uint32_t FindRoot() {
    uint32_t root = tree_.body;
    const double total = weights_[root];
    for (uint32_t i = root + 1; i < tree_.nodes[root].end; ++i) {
      if (weights_[i] < total * 0.5 || weights_[i] == 0 || tree_.nodes[i].tag == Tag::kText) continue;
      if (Hints(i) & hint_bits::kBody && weights_[i] >= total * 0.6) root = i;
    }
    return root;
  }

  uint32_t Descend(uint32_t root) {
    for (uint32_t at = root;;) {
      uint32_t best = 0;
      for (uint32_t c = at + 1; c < tree_.nodes[at].end; c = tree_.nodes[c].end)
        if (!best || weights_[c] > weights_[best]) best = c;
      if (!best || weights_[best] <= 0) return at;
      const Tag tag = tree_.nodes[best].tag;
      const bool container = IsBlock(tag) || tag == Tag::kOther || tag == Tag::kSpan || tag == Tag::kFont;
      if (!container || tag == Tag::kP || tag == Tag::kLi || tag == Tag::kTd) {
        if (tag != Tag::kTd) return at;
      }
      if (weights_[best] < kDescendShare * weights_[at]) return at;
      at = best;
    }
  }

  bool Keeps(const Block& block) const {
    if (block.hidden) return false;
    const std::string_view text = blocks_.Text(block);
    const double links = LinkShare(block);
    if (block.tag == Tag::kFigcaption) return false;
    if (links > 0.3 && block.words < 40 && IsPointer(text)) return false;
    if (links > 0.9 && block.words < 30 && !IsHeading(block.tag)) return false;
    if (links > 0.5 && block.words < 8 && !IsHeading(block.tag)) return false;
    return !IsFurnitureLine(text);
  }

  std::string Emit(uint32_t top) {
    const uint32_t end = tree_.nodes[top].end;
    std::vector<const Block*> kept;
    size_t words = 0, all_words = 0;
    for (const Block& block : blocks_.list)
      if (block.first >= top && block.first < end && Keeps(block)) all_words += block.words;
    AddLede(top, &kept);
    for (const Block& block : blocks_.list) {
      if (block.first < top || block.first >= end) continue;
      if (words > 150 && words > all_words * kEndsAfterShare && EndsArticle(blocks_.Text(block))) break;
      if (!Keeps(block)) continue;
      if (words < kOpeningWords && (IsTitle(blocks_.Text(block)) || IsByline(blocks_.Text(block)))) continue;
      kept.push_back(&block);
      words += block.words;
    }
    while (!kept.empty() && IsHeading(kept.back()->tag)) kept.pop_back();
    return Join(kept);
  }

  // Paragraphs between the headline and the element that holds the article: the lede often stands alone.
  void AddLede(uint32_t top, std::vector<const Block*>* kept) const {
    bool below_headline = false;
    for (const Block& block : blocks_.list) {
      if (block.first >= top) return;
      if (block.tag == Tag::kH1 || IsTitle(blocks_.Text(block))) {
        below_headline = true;
        kept->clear();
      } else if (below_headline && block.words >= kLedeWordsMin && LinkShare(block) < 0.2 && Keeps(block) &&
                 blocks_.Text(block).ends_with('.') && !IsByline(blocks_.Text(block))) {
        kept->push_back(&block);
      }
    }
  }

  bool IsTitle(std::string_view text) const { return !title_.empty() && EqualsIgnoreCase(text, title_); }

  // Cells of one table row share a line.
  std::string Join(const std::vector<const Block*>& kept) const {
    std::string out;
    ItemNumbers items(tree_);
    uint32_t row = 0, last_cell = 0;
    for (const Block* block : kept) {
      const uint32_t parent = tree_.nodes[block->node].parent;
      const bool cell = block->tag == Tag::kTd || block->tag == Tag::kTh;
      if (!out.empty()) out += cell && parent == row && block->node != last_cell ? " " : "\n\n";
      row = cell ? parent : 0;
      last_cell = cell ? block->node : 0;
      if (const size_t number = items.NumberOf(*block)) out += std::to_string(number) + ". ";
      out += blocks_.Text(*block);
    }
    return out;
  }

  const Tree& tree_;
  const std::string_view title_;
  Blocks& blocks_;
  std::vector<uint8_t> hints_;
  std::vector<double> weights_;
};

}  // namespace

std::string ArticleText(const Tree& tree, std::string_view title, Blocks* blocks) {
  return Chooser(tree, title, blocks).Choose();
}

}  // namespace racewatch::ingest::page
