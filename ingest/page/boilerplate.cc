#include "ingest/page/boilerplate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

using namespace hint_bits;  // NOLINT(google-build-using-namespace): tables read better without prefixes

struct HintWord {
  std::string_view word;
  uint8_t bits;
};

// Single words as they stand between the separators and capitals of class and id.
constexpr HintWord kWords[] = {
    {"sidebar", kFurniture}, {"related", kFurniture}, {"newsletter", kFurniture}, {"newsletters", kFurniture},
    {"share", kFurniture}, {"sharing", kFurniture}, {"sharebar", kFurniture}, {"sharedaddy", kFurniture},
    {"addtoany", kFurniture}, {"addthis", kFurniture}, {"social", kFurniture}, {"socials", kFurniture},
    {"promo", kFurniture}, {"promotion", kFurniture}, {"advert", kFurniture}, {"adverts", kFurniture},
    {"advertisement", kFurniture}, {"ad", kFurniture}, {"ads", kFurniture}, {"adsbygoogle", kFurniture},
    {"sponsor", kFurniture}, {"sponsored", kFurniture}, {"cookie", kFurniture}, {"cookies", kFurniture},
    {"consent", kFurniture}, {"gdpr", kFurniture}, {"onetrust", kFurniture}, {"breadcrumb", kFurniture},
    {"breadcrumbs", kFurniture}, {"nav", kFurniture}, {"navbar", kFurniture}, {"navigation", kFurniture},
    {"menu", kFurniture}, {"submenu", kFurniture}, {"footer", kFurniture}, {"popup", kFurniture}, {"modal", kFurniture},
    {"lightbox", kFurniture}, {"offcanvas", kFurniture}, {"subscribe", kFurniture}, {"subscription", kFurniture},
    {"signup", kFurniture}, {"optin", kFurniture}, {"login", kFurniture}, {"pagination", kFurniture},
    {"pager", kFurniture}, {"recirc", kFurniture}, {"recirculation", kFurniture}, {"recommended", kFurniture},
    {"recommendations", kFurniture}, {"trending", kFurniture}, {"popular", kFurniture}, {"taglist", kFurniture},
    {"tagcloud", kFurniture}, {"toolbar", kFurniture}, {"masthead", kFurniture}, {"outbrain", kFurniture},
    {"taboola", kFurniture}, {"byline", kFurniture}, {"authorbox", kFurniture}, {"toc", kFurniture},
    {"skip", kFurniture}, {"rating", kFurniture}, {"ratings", kFurniture}, {"donate", kFurniture},
    {"donation", kFurniture}, {"noprint", kFurniture},
    {"copyright", kFurniture}, {"disclaimer", kFurniture}, {"ticker", kFurniture}, {"carousel", kFurniture},
    {"jp-relatedposts", kFurniture}, {"morestories", kFurniture}, {"readmore", kFurniture}, {"upsell", kFurniture},
    {"tweet", kFurniture}, {"instagram", kFurniture}, {"tiktok", kFurniture}, {"paywall", kFurniture}, {"cta", kFurniture}, {"mailchimp", kFurniture}, {"hubspot", kFurniture},
    {"comments", kComments}, {"comment", kComments}, {"disqus", kComments}, {"respond", kComments},
    {"commentlist", kComments}, {"replies", kComments},
    {"article", kContent}, {"content", kContent}, {"entry", kContent}, {"post", kContent}, {"story", kContent},
    {"main", kContent}, {"body", kContent}, {"text", kContent}, {"prose", kContent}, {"blog", kContent},
    {"richtext", kContent}, {"hentry", kContent},
    {"hidden", kHidden}, {"screenreader", kHidden},
};

// Runs of words, joined by '-'.
constexpr HintWord kPhrases[] = {
    {"article-body", kBody}, {"articlebody", kBody}, {"entry-content", kBody}, {"post-content", kBody},
    {"article-content", kBody}, {"story-body", kBody}, {"post-body", kBody}, {"story-content", kBody},
    {"article-text", kBody}, {"articletext", kBody}, {"body-content", kBody}, {"rich-text", kContent},
    {"sr-only", kHidden}, {"screen-reader", kHidden}, {"visually-hidden", kHidden}, {"visuallyhidden", kHidden},
    {"read-more", kFurniture}, {"read-next", kFurniture}, {"more-stories", kFurniture}, {"more-from", kFurniture},
    {"also-like", kFurniture}, {"see-also", kFurniture}, {"up-next", kFurniture}, {"next-post", kFurniture},
    {"post-navigation", kFurniture}, {"author-bio", kFurniture}, {"author-box", kFurniture}, {"author-info", kFurniture},
    {"about-author", kFurniture}, {"post-author", kFurniture}, {"post-meta", kFurniture}, {"entry-meta", kFurniture},
    {"article-meta", kFurniture}, {"post-tags", kFurniture}, {"article-tags", kFurniture}, {"entry-footer", kFurniture},
    {"table-of-contents", kFurniture}, {"sign-up", kFurniture}, {"opt-in", kFurniture}, {"most-read", kFurniture},
    {"latest-news", kFurniture}, {"latest-posts", kFurniture}, {"recent-posts", kFurniture}, {"back-to-top", kFurniture},
    {"call-to-action", kFurniture}, {"site-header", kFurniture}, {"site-footer", kFurniture},
};

constexpr uint64_t Hash(std::string_view word, uint64_t hash = 0xCBF29CE484222325ull) {
  for (const char c : word) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
  return hash;
}

// Open addressing on the 64-bit hash alone: with under 200 words a chance hit is out of the question.
template <size_t kSlots>
struct HintIndex {
  template <typename Rows>
  explicit constexpr HintIndex(const Rows& rows) {
    for (const HintWord& row : rows) {
      size_t slot = Hash(row.word) & (kSlots - 1);
      while (bits[slot]) slot = (slot + 1) & (kSlots - 1);
      hashes[slot] = Hash(row.word);
      bits[slot] = row.bits;
    }
  }
  uint8_t Find(uint64_t hash) const {
    for (size_t slot = hash & (kSlots - 1); bits[slot]; slot = (slot + 1) & (kSlots - 1))
      if (hashes[slot] == hash) return bits[slot];
    return 0;
  }
  std::array<uint64_t, kSlots> hashes{};
  std::array<uint8_t, kSlots> bits{};
};

constexpr HintIndex<512> kWordIndex(kWords);
constexpr HintIndex<256> kPhraseIndex(kPhrases);

// Looks up the words of a class or id ("entryContent", "entry_content", "entry-content") and their runs of two
// and three.
uint8_t NameHints(std::string_view name) {
  uint8_t bits = 0;
  std::array<uint64_t, 2> runs = {0, 0};  // hashes of the last word, and of the last two joined
  name = name.substr(0, 400);
  for (size_t at = 0; at < name.size();) {
    if (!isalpha(static_cast<uint8_t>(name[at]))) {
      if (name[at] == ' ' || name[at] == '\n') runs = {0, 0};
      ++at;
      continue;
    }
    uint64_t word = 0xCBF29CE484222325ull, two = 0, three = 0;
    if (runs[0]) two = (runs[0] ^ '-') * 0x100000001B3ull;
    if (runs[1]) three = (runs[1] ^ '-') * 0x100000001B3ull;
    const size_t start = at;
    for (; at < name.size() && isalpha(static_cast<uint8_t>(name[at])); ++at) {
      if (at > start && isupper(static_cast<uint8_t>(name[at])) && islower(static_cast<uint8_t>(name[at - 1]))) break;
      const auto c = static_cast<uint64_t>(name[at] | 32);
      word = (word ^ c) * 0x100000001B3ull;
      if (two) two = (two ^ c) * 0x100000001B3ull;
      if (three) three = (three ^ c) * 0x100000001B3ull;
    }
    bits |= kWordIndex.Find(word) | kPhraseIndex.Find(word);
    if (two) bits |= kPhraseIndex.Find(two);
    if (three) bits |= kPhraseIndex.Find(three);
    runs = {word, two};
  }
  return bits;
}

uint8_t RoleHints(std::string_view role) {
  for (const std::string_view one : {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog",
                                     "menu", "menubar", "toolbar", "tooltip"})
    if (EqualsIgnoreCase(role, one)) return kFurniture;
  return EqualsIgnoreCase(role, "main") || EqualsIgnoreCase(role, "article") ? kContent : 0;
}

bool StyleHides(std::string_view style) {
  for (size_t at = style.find("display"); at != style.npos; at = style.find("display", at + 7)) {
    const size_t value = style.find_first_not_of(" :", at + 7);
    if (value != style.npos && style.substr(value).starts_with("none")) return true;
  }
  return ContainsIgnoreCase(style, "visibility:hidden");
}

// Lower case; a line is furniture when it equals one of them (after trailing marks are cut).
constexpr std::string_view kFurnitureLines[] = {
    "advertisement", "advertisement - continue reading below", "advertising", "ad", "ads", "sponsored", "share", "share this",
    "share this article", "share this post", "share on facebook", "share on twitter", "share article", "save", "print", "email",
    "facebook", "twitter", "linkedin", "whatsapp", "pinterest", "reddit", "copy link", "link copied", "tweet", "like this",
    "loading", "read more", "continue reading", "read full article", "view all", "see all", "show more", "load more", "learn more",
    "back to top", "top", "skip to content", "skip to main content", "story continues below", "article continues below",
    "story continues below advertisement", "article continues after advertisement", "listen to this article", "listen",
    "follow us", "subscribe", "sign up", "log in", "sign in", "register", "get started", "watch now", "play video",
    "table of contents", "contents", "in this article", "on this page", "jump to", "previous", "next", "previous post", "next post",
    "previous article", "next article", "leave a comment", "comments", "no comments", "reply", "report", "tags", "topics",
    "featured image", "click to share", "share via", "click here", "download", "buy now", "shop now", "remove ads", "image",
    "広告", "广告", "分享", "责任编辑", "打印", "收藏", "返回顶部", "相关阅读", "相关新闻", "推荐阅读",
};

constexpr std::string_view kFurnitureStarts[] = {
    "share this ", "share on ", "click to share", "follow us on", "sign up for our", "subscribe to our", "sign up to our",
    "already a subscriber", "already have an account", "advertisement ", "this article contains affiliate",
    "we may earn", "we earn a commission", "photo credit:", "image credit:", "image source:", "photo by ", "photo: ",
    "reading time", "estimated reading time", "filed under", "posted in ", "tagged with", "tagged:", "tags:", "categories:",
    "category:", "last updated", "updated on", "published on", "posted on", "published:", "updated:", "copyright ©", "©",
    "all rights reserved", "enter your email", "your email address", "this site is protected by recaptcha", "责任编辑：", "責任編輯：",
    "（责任编辑", "来源：", "來源：",
};

constexpr std::string_view kEnds[] = {
    "related articles", "related posts", "related stories", "related content", "related news", "related reading", "related topics",
    "related", "you may also like", "you might also like", "you may also enjoy", "recommended for you", "recommended",
    "recommended articles", "recommended reading", "more from", "more stories", "more articles", "more news", "read next",
    "up next", "keep reading", "what to read next", "also read", "trending", "trending now", "most popular", "most read",
    "popular posts", "latest news", "latest posts", "latest articles", "recent posts", "leave a reply", "leave a comment",
    "join the conversation", "post a comment", "add a comment", "about the author", "about the authors", "about author",
    "share this", "share this post", "share this article", "share this story", "subscribe to our newsletter",
    "sign up for our newsletter", "newsletter", "comments", "post navigation", "cancel reply", "reader interactions", "explore more",
    "discover more", "other articles", "similar posts", "similar articles", "more like this", "you might like",
    "相关阅读", "相关新闻", "推荐阅读", "延伸阅读", "相關新聞", "延伸閱讀", "热门推荐", "网友评论", "猜你喜欢",
};

std::string LineKey(std::string_view text) {
  std::string key = LowerAscii(Trim(text));
  for (bool cut = true; cut && !key.empty();) {
    cut = key.back() == ':' || key.back() == '.' || key.back() == '!' || key.back() == ' ' || key.back() == '+' || key.back() == '>';
    if (cut) key.pop_back();
  }
  return key;
}

bool IsReadingTime(std::string_view lower) {
  return lower.size() < 24 && lower[0] >= '0' && lower[0] <= '9' &&
         (lower.find("min read") != lower.npos || lower.find("minute read") != lower.npos || lower.find("mins read") != lower.npos);
}

}  // namespace

uint8_t ElementHints(const Tree& tree, uint32_t node) {
  uint8_t bits = 0;
  switch (tree.nodes[node].tag) {
    case Tag::kNav: case Tag::kFooter: case Tag::kAside: case Tag::kDialog: case Tag::kMenu: bits |= kFurniture; break;
    case Tag::kArticle: case Tag::kMain: bits |= kContent; break;
    default: break;
  }
  const Node& n = tree.nodes[node];
  for (uint32_t i = n.attr_begin; i < n.attr_begin + n.attr_count; ++i) {
    const HtmlAttr& attr = tree.attrs[i];
    switch (attr.name) {
      case Attr::kClass: case Attr::kId: case Attr::kDataComponent: case Attr::kDataTestid: bits |= NameHints(attr.value); break;
      case Attr::kRole: bits |= RoleHints(attr.value); break;
      case Attr::kStyle: if (StyleHides(attr.value)) bits |= kHidden; break;
      case Attr::kHidden:  // React streams late parts as <div hidden id="S:1"> and shows them by script
        if (!tree.Get(node, Attr::kId).starts_with("S:")) bits |= kHidden;
        break;
      case Attr::kAriaHidden: if (attr.value == "true") bits |= kHidden; break;
      case Attr::kItemprop: if (EqualsIgnoreCase(attr.value, "articleBody")) bits |= kBody; break;
      default: break;
    }
  }
  return bits;
}

bool IsFurnitureLine(std::string_view text) {
  if (text.size() > 200) return false;
  const std::string key = LineKey(text);
  if (key.empty()) return true;
  if (std::find(std::begin(kFurnitureLines), std::end(kFurnitureLines), key) != std::end(kFurnitureLines)) return true;
  for (const std::string_view start : kFurnitureStarts)
    if (key.starts_with(start)) return true;
  return IsReadingTime(key);
}

bool IsPointer(std::string_view text) {
  for (const std::string_view start :
       {"also read", "see also", "read also", "read more", "read next", "related", "read:", "more:", "more on", "more from", "don't miss",
        "learn more", "see more", "you may also", "watch:", "click here", "further reading", "recommended", "lesen sie auch", "lire aussi",
        "leer también", "leia também", "leggi anche", "читайте также", "延伸阅读", "延伸閱讀", "相关阅读", "相關閱讀", "推荐阅读"})
    if (StartsWithIgnoreCase(text, start)) return true;
  return false;
}

bool EndsArticle(std::string_view text) {
  if (text.size() > 60) return false;
  const std::string key = LineKey(text);
  return std::find(std::begin(kEnds), std::end(kEnds), key) != std::end(kEnds);
}

}  // namespace racewatch::ingest::page
