#include "ingest/page/html_names.h"

#include <array>

namespace racewatch::ingest::page {
namespace {

using namespace tag_bits;  // NOLINT(google-build-using-namespace): a table reads better without prefixes

struct TagRow {
  std::string_view name;
  Tag tag;
  uint8_t bits;
};

constexpr uint8_t kFlow = kBlock | kEndsP;

// HTML Living Standard, 4 (elements) and 13.2.6.4.7 (which start tags end a paragraph).
constexpr TagRow kTags[] = {
    {"a", Tag::kA, 0}, {"abbr", Tag::kAbbr, 0}, {"address", Tag::kAddress, kFlow}, {"article", Tag::kArticle, kFlow},
    {"aside", Tag::kAside, kFlow}, {"audio", Tag::kAudio, kSilent}, {"b", Tag::kB, 0},
    {"base", Tag::kBase, kVoid | kHeadOnly}, {"blockquote", Tag::kBlockquote, kFlow}, {"body", Tag::kBody, kBlock},
    {"br", Tag::kBr, kVoid}, {"button", Tag::kButton, kSilent | kBlock}, {"canvas", Tag::kCanvas, kSilent},
    {"caption", Tag::kCaption, kBlock | kScope}, {"cite", Tag::kCite, 0}, {"code", Tag::kCode, 0},
    {"col", Tag::kCol, kVoid}, {"dd", Tag::kDd, kFlow}, {"del", Tag::kDel, 0}, {"details", Tag::kDetails, kFlow},
    {"dialog", Tag::kDialog, kFlow}, {"div", Tag::kDiv, kFlow}, {"dl", Tag::kDl, kFlow}, {"dt", Tag::kDt, kFlow},
    {"em", Tag::kEm, 0}, {"embed", Tag::kEmbed, kVoid}, {"fieldset", Tag::kFieldset, kFlow},
    {"figcaption", Tag::kFigcaption, kFlow}, {"figure", Tag::kFigure, kFlow}, {"font", Tag::kFont, 0},
    {"footer", Tag::kFooter, kFlow}, {"form", Tag::kForm, kFlow}, {"frameset", Tag::kFrameset, kBlock},
    {"h1", Tag::kH1, kFlow}, {"h2", Tag::kH2, kFlow}, {"h3", Tag::kH3, kFlow}, {"h4", Tag::kH4, kFlow},
    {"h5", Tag::kH5, kFlow}, {"h6", Tag::kH6, kFlow}, {"head", Tag::kHead, kBlock}, {"header", Tag::kHeader, kFlow},
    {"hgroup", Tag::kHgroup, kFlow}, {"hr", Tag::kHr, kVoid | kFlow}, {"html", Tag::kHtml, kBlock | kScope},
    {"i", Tag::kI, 0}, {"iframe", Tag::kIframe, kRaw | kSilent}, {"img", Tag::kImg, kVoid},
    {"input", Tag::kInput, kVoid}, {"ins", Tag::kIns, 0}, {"label", Tag::kLabel, 0}, {"legend", Tag::kLegend, kBlock},
    {"li", Tag::kLi, kFlow}, {"link", Tag::kLink, kVoid | kHeadOnly}, {"main", Tag::kMain, kFlow},
    {"math", Tag::kMath, 0}, {"menu", Tag::kMenu, kFlow}, {"meta", Tag::kMeta, kVoid | kHeadOnly},
    {"nav", Tag::kNav, kFlow}, {"noembed", Tag::kNoembed, kRaw | kSilent},
    {"noframes", Tag::kNoframes, kRaw | kSilent | kHeadOnly},
    {"noscript", Tag::kNoscript, kBlock | kSilent | kHeadOnly}, {"object", Tag::kObject, kScope | kSilent},
    {"ol", Tag::kOl, kFlow}, {"optgroup", Tag::kOptgroup, kSilent}, {"option", Tag::kOption, kSilent},
    {"p", Tag::kP, kFlow}, {"param", Tag::kParam, kVoid}, {"picture", Tag::kPicture, 0}, {"pre", Tag::kPre, kFlow},
    {"q", Tag::kQ, 0}, {"rp", Tag::kRp, kSilent}, {"rt", Tag::kRt, kSilent}, {"s", Tag::kS, 0},
    {"script", Tag::kScript, kRaw | kSilent | kHeadOnly}, {"search", Tag::kSearch, kFlow | kSilent},
    {"section", Tag::kSection, kFlow}, {"select", Tag::kSelect, kSilent}, {"small", Tag::kSmall, 0},
    {"source", Tag::kSource, kVoid}, {"span", Tag::kSpan, 0}, {"strike", Tag::kStrike, 0},
    {"strong", Tag::kStrong, 0}, {"style", Tag::kStyle, kRaw | kSilent | kHeadOnly}, {"sub", Tag::kSub, 0},
    {"summary", Tag::kSummary, kFlow}, {"sup", Tag::kSup, 0}, {"svg", Tag::kSvg, kSilent},
    {"table", Tag::kTable, kBlock | kScope | kEndsP}, {"tbody", Tag::kTbody, kBlock}, {"td", Tag::kTd, kBlock | kScope},
    {"template", Tag::kTemplate, kScope | kSilent | kHeadOnly}, {"textarea", Tag::kTextarea, kRaw | kSilent},
    {"tfoot", Tag::kTfoot, kBlock}, {"th", Tag::kTh, kBlock | kScope}, {"thead", Tag::kThead, kBlock},
    {"time", Tag::kTime, 0}, {"title", Tag::kTitle, kRaw | kSilent | kHeadOnly}, {"tr", Tag::kTr, kBlock},
    {"track", Tag::kTrack, kVoid}, {"tt", Tag::kTt, 0}, {"u", Tag::kU, 0}, {"ul", Tag::kUl, kFlow},
    {"video", Tag::kVideo, kSilent}, {"wbr", Tag::kWbr, kVoid}, {"xmp", Tag::kXmp, kRaw | kFlow},
};

struct AttrRow {
  std::string_view name;
  Attr attr;
};

constexpr AttrRow kAttrs[] = {
    {"aria-hidden", Attr::kAriaHidden}, {"aria-label", Attr::kAriaLabel}, {"charset", Attr::kCharset},
    {"class", Attr::kClass}, {"content", Attr::kContent}, {"data-component", Attr::kDataComponent},
    {"data-testid", Attr::kDataTestid}, {"datetime", Attr::kDatetime}, {"hidden", Attr::kHidden},
    {"href", Attr::kHref}, {"http-equiv", Attr::kHttpEquiv}, {"id", Attr::kId}, {"itemprop", Attr::kItemprop},
    {"itemtype", Attr::kItemtype}, {"lang", Attr::kLang}, {"name", Attr::kName}, {"property", Attr::kProperty},
    {"rel", Attr::kRel}, {"role", Attr::kRole}, {"style", Attr::kStyle}, {"title", Attr::kTitle},
    {"type", Attr::kType},
};

// The last 7 lower-cased bytes and the length. No two known names share a key; the names are compared
// at look-up all the same.
constexpr uint64_t KeyOf(std::string_view name) {
  uint64_t key = name.size();
  for (const char c : name.substr(name.size() > 7 ? name.size() - 7 : 0))
    key = key << 8 | static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return key;
}

constexpr bool SameName(std::string_view known, std::string_view name) {
  if (known.size() != name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i)
    if (known[i] != (name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i])) return false;
  return true;
}

// Open addressing over the rows of a table; slots hold row + 1.
template <size_t kSlots, typename Rows>
class NameIndex {
 public:
  explicit constexpr NameIndex(const Rows& rows) : rows_(rows) {
    for (size_t row = 0; row < std::size(rows); ++row) {
      size_t slot = SlotOf(KeyOf(rows[row].name));
      while (slots_[slot]) slot = (slot + 1) % kSlots;
      slots_[slot] = static_cast<uint8_t>(row + 1);
    }
  }
  // Row number, or -1.
  int Find(std::string_view name) const {
    if (name.empty() || name.size() > 16) return -1;
    for (size_t slot = SlotOf(KeyOf(name)); slots_[slot]; slot = (slot + 1) % kSlots)
      if (SameName(rows_[slots_[slot] - 1].name, name)) return slots_[slot] - 1;
    return -1;
  }

 private:
  static constexpr size_t SlotOf(uint64_t key) { return (key * 0x9E3779B97F4A7C15ull) >> 48 & (kSlots - 1); }
  const Rows& rows_;
  std::array<uint8_t, kSlots> slots_{};
};

constexpr NameIndex<512, decltype(kTags)> kTagIndex(kTags);
constexpr NameIndex<128, decltype(kAttrs)> kAttrIndex(kAttrs);

constexpr auto kBits = [] {
  std::array<uint8_t, static_cast<size_t>(Tag::kCount)> bits{};
  for (const TagRow& row : kTags) bits[static_cast<size_t>(row.tag)] = row.bits;
  bits[static_cast<size_t>(Tag::kRoot)] = kBlock | kScope;
  return bits;
}();

}  // namespace

Tag TagByName(std::string_view name) {
  const int row = kTagIndex.Find(name);
  return row < 0 ? Tag::kOther : kTags[row].tag;
}

Attr AttrByName(std::string_view name) {
  const int row = kAttrIndex.Find(name);
  return row < 0 ? Attr::kNone : kAttrs[row].attr;
}

uint8_t TagBits(Tag tag) { return kBits[static_cast<size_t>(tag)]; }

}  // namespace racewatch::ingest::page
