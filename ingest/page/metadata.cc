#include "ingest/page/metadata.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <utility>
#include <vector>

#include "ingest/page/dates.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// How much a heading must share with the document's titles: one of several, and the only one.
constexpr double kSharedWords = 0.5;
constexpr double kSharedWordsLone = 0.2;

bool OneOf(std::string_view value, std::initializer_list<std::string_view> lower) {
  return std::any_of(lower.begin(), lower.end(), [&](std::string_view one) { return EqualsIgnoreCase(value, one); });
}

// Everything the markup offers, in the order it is trusted (smaller rank first).
struct Offers {
  std::string title_tag, og_title;
  std::vector<std::string> h1s;
  std::vector<std::pair<int, std::string>> authors, published, modified;
  std::string site, language, canonical, refresh, og_url, section, description, base;
  bool og_article = false;
};

class Collector {
 public:
  Collector(const Tree& tree, JsonLdArticle* jsonld) : tree_(tree), jsonld_(*jsonld) {}

  Offers Collect(std::vector<PageFeedLink>* feeds) {
    for (uint32_t i = 1; i < tree_.nodes.size(); ++i) {
      switch (tree_.nodes[i].tag) {
        case Tag::kText: continue;
        case Tag::kMeta: Meta(i); break;
        case Tag::kLink: Link(i, feeds); break;
        case Tag::kScript: Script(i); break;
        case Tag::kBase: if (offers_.base.empty()) offers_.base = DecodeEntities(tree_.Get(i, Attr::kHref)); break;
        case Tag::kHtml: offers_.language = LowerAscii(Trim(tree_.Get(i, Attr::kLang))); break;
        case Tag::kTitle:
          if (offers_.title_tag.empty() && tree_.nodes[tree_.nodes[i].parent].tag != Tag::kSvg)
            offers_.title_tag = CleanText(tree_.nodes[i].text);
          break;
        case Tag::kH1: Heading(i); break;
        case Tag::kTime: Time(i); break;
        default: break;
      }
      if (tree_.nodes[i].attr_count) Marked(i);
    }
    return std::move(offers_);
  }

 private:
  void Meta(uint32_t i) {
    std::string_view key = tree_.Get(i, Attr::kProperty);
    if (key.empty()) key = tree_.Get(i, Attr::kName);
    if (key.empty()) key = tree_.Get(i, Attr::kItemprop);
    if (key.empty()) key = tree_.Get(i, Attr::kHttpEquiv);
    const std::string_view raw = tree_.Get(i, Attr::kContent);
    if (key == "script:ld+json") reader_.Read(DecodeEntities(raw), &jsonld_);  // Remix renders its scripts so
    if (key.empty() || raw.empty() || raw.size() > 4000) return;
    const auto set = [&](std::string* field) { if (field->empty()) *field = CleanText(raw); };
    if (OneOf(key, {"og:title"})) set(&offers_.og_title);
    else if (OneOf(key, {"twitter:title", "parsely-title", "sailthru.title", "dc.title", "citation_title"}))
      { if (offers_.og_title.empty()) set(&twitter_title_); }
    else if (OneOf(key, {"og:site_name", "application-name"})) set(&offers_.site);
    else if (OneOf(key, {"og:url"})) set(&offers_.og_url);
    else if (OneOf(key, {"og:type"})) offers_.og_article = ContainsIgnoreCase(raw, "article");
    else if (OneOf(key, {"og:description", "description"})) set(&offers_.description);
    else if (OneOf(key, {"article:section", "sailthru.section", "parsely-section"})) set(&offers_.section);
    else if (OneOf(key, {"content-language", "og:locale"})) set(&meta_language_);
    else if (OneOf(key, {"refresh"})) Refresh(raw);
    else MetaPeopleAndDates(key, raw);
    if (offers_.language.empty()) offers_.language = LowerAscii(meta_language_);
    if (offers_.og_title.empty()) offers_.og_title = twitter_title_;
  }

  // "0; url=https://…"; a page that sends its reader on after a while is a page.
  void Refresh(std::string_view raw) {
    const std::string value = DecodeEntities(raw);
    const size_t at = LowerAscii(value).find("url=");
    if (!offers_.refresh.empty() || at == value.npos || std::atoi(value.c_str()) > 5) return;
    std::string_view target = Trim(std::string_view(value).substr(at + 4));
    if (target.size() >= 2 && (target.front() == '\'' || target.front() == '"')) target = target.substr(1, target.find(target.front(), 1) - 1);
    offers_.refresh = std::string(target);
  }

  void MetaPeopleAndDates(std::string_view key, std::string_view raw) {
    if (OneOf(key, {"author", "article:author", "parsely-author", "sailthru.author", "dc.creator", "dcterms.creator",
                    "byl", "citation_author", "article:author_name", "og:article:author", "authors"})) {
      offers_.authors.emplace_back(20, CleanText(raw));
    } else if (OneOf(key, {"twitter:data1"})) {
      offers_.authors.emplace_back(60, CleanText(raw));
    } else if (OneOf(key, {"article:published_time", "og:published_time", "datepublished", "og:article:published_time"})) {
      offers_.published.emplace_back(10, CleanText(raw));
    } else if (OneOf(key, {"parsely-pub-date", "sailthru.date", "pubdate", "publishdate", "publish-date", "publish_date",
                           "published_time", "publication_date", "dc.date.issued", "dcterms.issued", "dcterms.created",
                           "dc.date.created", "citation_publication_date", "citation_date", "article.published",
                           "cxenseparse:recs:publishtime", "article_date_original", "datecreated", "rnews:datepublished",
                           "published", "published-date", "publishedtime", "originalpublicationdate", "displaydate",
                           "dcterms.available", "publishtime", "apub:time", "weibo: article:create_at"})) {
      offers_.published.emplace_back(20, CleanText(raw));
    } else if (OneOf(key, {"date", "dc.date", "dcterms.date", "release_date", "article:published", "ptime"})) {
      offers_.published.emplace_back(30, CleanText(raw));
    } else if (OneOf(key, {"article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified",
                           "dc.date.modified", "lastmod", "revised", "article:modified", "og:modified_time"})) {
      offers_.modified.emplace_back(10, CleanText(raw));
    }
  }

  void Link(uint32_t i, std::vector<PageFeedLink>* feeds) {
    const std::string_view rel = tree_.Get(i, Attr::kRel), type = tree_.Get(i, Attr::kType);
    if (EqualsIgnoreCase(rel, "canonical") && offers_.canonical.empty())
      offers_.canonical = DecodeEntities(tree_.Get(i, Attr::kHref));
    if (!ContainsIgnoreCase(rel, "alternate") || feeds->size() >= 50) return;
    if (OneOf(type, {"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"}))
      feeds->push_back({DecodeEntities(tree_.Get(i, Attr::kHref)), LowerAscii(type), CleanText(tree_.Get(i, Attr::kTitle))});
  }

  void Script(uint32_t i) {
    if (ContainsIgnoreCase(tree_.Get(i, Attr::kType), "ld+json")) reader_.Read(tree_.nodes[i].text, &jsonld_);
  }

  void Heading(uint32_t i) {
    if (++headings_ > 8) return;
    std::string text = TextBelow(tree_, i, 600);
    while (text.ends_with("¶") || text.ends_with('#')) text = Trim(text.substr(0, text.size() - (text.back() == '#' ? 1 : 2)));  // its own anchor
    if (!text.empty()) offers_.h1s.push_back(std::move(text));
  }

  void Time(uint32_t i) {
    if (++times_ > 20) return;
    std::string value = CleanText(tree_.Get(i, Attr::kDatetime));
    if (value.empty()) value = TextBelow(tree_, i, 120);
    const std::string_view name = tree_.Get(i, Attr::kClass);
    const std::string_view prop = tree_.Get(i, Attr::kItemprop);
    if (ContainsIgnoreCase(name, "updated") || ContainsIgnoreCase(name, "modified") || ContainsIgnoreCase(prop, "modified"))
      offers_.modified.emplace_back(20, value);
    else
      offers_.published.emplace_back(ContainsIgnoreCase(name, "publish") || ContainsIgnoreCase(name, "entry-date") ? 40 : 50, value);
  }

  // Elements whose class, rel or itemprop says what their text is.
  void Marked(uint32_t i) {
    const Tag tag = tree_.nodes[i].tag;
    if (tag == Tag::kMeta || tag == Tag::kBody || tag == Tag::kHtml || tag == Tag::kLink) return;
    const std::string_view prop = tree_.Get(i, Attr::kItemprop);
    if (!prop.empty()) MarkedByProperty(i, prop);
    if (tag == Tag::kA && EqualsIgnoreCase(tree_.Get(i, Attr::kRel), "author")) OfferAuthor(30, i);
    const std::string_view name = tree_.Get(i, Attr::kClass);
    if (name.empty() || marked_ > 60) return;
    if (NamesAuthor(name)) {
      ++marked_;
      OfferAuthor(ContainsIgnoreCase(name, "author-name") || ContainsIgnoreCase(name, "author_name") ? 35 : 40, i);
    } else if (tree_.nodes[i].end - i < 24 && NamesDate(name)) {
      ++marked_;
      const std::string text = TextBelow(tree_, i, 160);
      const bool update = ContainsIgnoreCase(text, "updated") || ContainsIgnoreCase(name, "modif");
      if (text.size() < 120) (update ? offers_.modified : offers_.published).emplace_back(60, text);
    }
  }

  void MarkedByProperty(uint32_t i, std::string_view prop) {
    const auto date = [&] {
      std::string value = CleanText(tree_.Get(i, Attr::kContent));
      if (value.empty()) value = CleanText(tree_.Get(i, Attr::kDatetime));
      return value.empty() ? TextBelow(tree_, i, 120) : value;
    };
    if (ContainsIgnoreCase(prop, "datepublished")) offers_.published.emplace_back(15, date());
    else if (ContainsIgnoreCase(prop, "datemodified")) offers_.modified.emplace_back(15, date());
    else if (EqualsIgnoreCase(prop, "author")) OfferAuthor(25, i);
  }

  static bool NamesAuthor(std::string_view name) {
    return name.size() < 200 && (ContainsIgnoreCase(name, "author") || ContainsIgnoreCase(name, "byline")) &&
           !ContainsIgnoreCase(name, "authors-") && !ContainsIgnoreCase(name, "avatar") && !ContainsIgnoreCase(name, "bio");
  }

  static bool NamesDate(std::string_view name) {
    return name.size() < 200 && (ContainsIgnoreCase(name, "date") || ContainsIgnoreCase(name, "time") ||
                                 ContainsIgnoreCase(name, "publish") || ContainsIgnoreCase(name, "posted") ||
                                 ContainsIgnoreCase(name, "meta") || ContainsIgnoreCase(name, "byline"));
  }

  void OfferAuthor(int rank, uint32_t i) {
    if (tree_.nodes[i].end - i > 40) return;
    std::string text = TextBelow(tree_, i, 160);
    if (!text.empty() && text.size() < 120) offers_.authors.emplace_back(rank, std::move(text));
  }

  const Tree& tree_;
  JsonLdArticle& jsonld_;
  JsonLdReader reader_;
  Offers offers_;
  std::string meta_language_, twitter_title_;
  int headings_ = 0, times_ = 0, marked_ = 0;
};

// Lower-case words; each Han character, kana and Hangul syllable is a word of its own.
std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<uint8_t>(text[i]);
    const bool han = b >= 0xE3 && b <= 0xED;
    const bool mark = b == 0xE2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) <= 0x81;  // U+2000–U+206F
    if (mark) i += 2;
    if (!han && !mark && (isalnum(b) || b >= 0x80)) {
      word.push_back(static_cast<char>(b < 0x80 ? tolower(b) : b));
      continue;
    }
    if (!word.empty()) words.push_back(std::exchange(word, {}));
    if (han) words.emplace_back(text.substr(i, 3));
    i += han ? 2 : 0;
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

// True when every word of `part` stands in `whole` in one run.
bool ContainsRun(const std::vector<std::string>& whole, const std::vector<std::string>& part) {
  return !part.empty() && std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

// "Headline - Site" → "Headline": the last part after a separator goes when it is the site's name, or short
// beside the rest.
std::string WithoutSite(const std::string& title, std::string_view site) {
  static constexpr std::array<std::string_view, 10> kMarks = {" | ", " - ", " – ", " — ", " » ", " :: ", " · ", " • ", "_", " / "};
  size_t cut = title.npos, mark_length = 0;
  for (const std::string_view mark : kMarks)
    if (const size_t at = title.rfind(mark); at != title.npos && (cut == title.npos || at > cut)) {
      cut = at;
      mark_length = mark.size();
    }
  if (cut == title.npos) return title;
  const std::string head = title.substr(0, cut), tail = title.substr(cut + mark_length);
  const auto tail_words = Words(tail), head_words = Words(head), site_words = Words(site);
  if (!site_words.empty() && head_words == site_words && tail_words.size() >= 2) return tail;
  const bool is_site = !site_words.empty() && (ContainsRun(site_words, tail_words) || ContainsRun(tail_words, site_words));
  const bool han = !tail.empty() && static_cast<uint8_t>(tail[0]) >= 0xE3 && static_cast<uint8_t>(tail[0]) <= 0xED;
  if (!is_site && tail_words.size() > (han ? 8 : 4)) return title;
  if (!is_site && TextWeight(head) < 15) return title;
  // Chinese portals write headline_channel_site.
  const bool chain = han && title[cut] == '_';
  return head.empty() ? title : is_site || chain ? WithoutSite(head, site) : head;
}

// A heading that is the site's name: it is that, or the shorter part of a document title cut at a mark.
bool NamesSite(const std::vector<std::string>& heading, const Offers& offers, std::string_view site, std::string_view url) {
  if (ContainsRun(Words(site), heading)) return true;
  std::string letters;  // a site that stands in front of its titles has that name in its address
  for (const std::string& word : heading) letters += word;
  const bool in_host = LowerAscii(url.substr(0, url.find('/', std::min(url.size(), url.find("://") + 3)))).find(letters) != std::string::npos;
  for (const std::string* title : {&offers.title_tag, &offers.og_title}) {
    const auto words = Words(*title);
    const bool at_end = words.size() > heading.size() && std::equal(heading.rbegin(), heading.rend(), words.rbegin());
    const bool at_start = (url.empty() || in_host) && words.size() > heading.size() && std::equal(heading.begin(), heading.end(), words.begin());
    if ((at_end || at_start) && heading.size() * 2 < words.size() && heading.size() <= 4) return true;
  }
  return false;
}

// The words of the longest part of the page's path: many sites write the headline there.
std::vector<std::string> PathWords(std::string_view url) {
  const size_t host = url.find("://");
  std::string_view path = url.substr(0, url.find_first_of("?#")), longest;
  path.remove_prefix(host == url.npos ? path.size() : std::min(path.size(), host + 3));
  for (size_t at = path.find('/'); at < path.size(); at = path.find('/', at + 1)) {
    const std::string_view part = path.substr(at + 1, path.find('/', at + 1) - at - 1);
    if (part.size() > longest.size()) longest = part;
  }
  return Words(longest);
}

double Share(const std::vector<std::string>& heading, const std::vector<std::string>& known) {
  const auto hits = std::count_if(heading.begin(), heading.end(), [&](const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  });
  return heading.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(heading.size());
}

// Share of the heading's words that the document's titles hold too.
double SharedWords(const std::vector<std::string>& heading, const Offers& offers) {
  auto known = Words(offers.title_tag);
  for (std::string& word : Words(offers.og_title)) known.push_back(std::move(word));
  return Share(heading, known);
}

// A headline that the document's titles say nothing of: the address repeats it, or it is all there is beside the site's own
// words in the title. Shorter headings stand in many an address by chance.
bool IsLoneHeadline(const Offers& offers, const JsonLdArticle& jsonld, std::string_view url) {
  if (offers.h1s.size() != 1) return false;
  const auto words = Words(offers.h1s.front());
  if (words.size() >= 3 && Share(words, PathWords(url)) >= 2.0 / 3) return true;
  return words.size() >= 4 && offers.og_title.empty() && !jsonld.is_article;
}

std::string ChooseTitle(const Offers& offers, const JsonLdArticle& jsonld, std::string_view site, std::string_view url) {
  // The heading that shares most with the document's own titles is the headline, as readers see it.
  const std::string* best = nullptr;
  double best_score = 0;
  const double share_min = offers.h1s.size() == 1 ? kSharedWordsLone : kSharedWords;
  for (const std::string& h1 : offers.h1s) {
    const auto words = Words(h1);
    const double share = SharedWords(words, offers), score = share * share * static_cast<double>(words.size());
    if (words.empty() || share < share_min || score <= best_score || NamesSite(words, offers, site, url)) continue;
    best = &h1;
    best_score = score;
  }
  // One of many headings that is but a word of a long title heads a section.
  const auto titled = Words(WithoutSite(offers.og_title.empty() ? offers.title_tag : offers.og_title, site));
  if (best && (offers.h1s.size() == 1 || Words(*best).size() * 3 >= titled.size())) return *best;
  if (IsLoneHeadline(offers, jsonld, url)) return offers.h1s.front();
  if (jsonld.is_article && Words(jsonld.headline).size() >= 2) return WithoutSite(jsonld.headline, site);
  if (!offers.og_title.empty()) return WithoutSite(offers.og_title, site);
  if (!offers.title_tag.empty()) return WithoutSite(offers.title_tag, site);
  return offers.h1s.empty() ? std::string{} : offers.h1s.front();
}

std::string CleanAuthor(std::string name) {
  for (const std::string_view lead : {"by ", "by: ", "author: ", "author ", "written by ", "posted by ", "von ", "par ", "por ",
                                      "作者：", "作者:", "记者 ", "記者 ", "文/", "文／", "文｜"})
    if (StartsWithIgnoreCase(name, lead)) name.erase(0, lead.size());
  for (const std::string_view tail : {" | ", " • ", " · ", " on ", "Published", "Updated", " – ", "posted"})
    if (const size_t at = name.find(tail); at != name.npos && at > 2) name.erase(at);
  return std::string(Trim(name));
}

bool GoodAuthor(std::string_view name) {
  return name.size() >= 2 && name.size() <= 120 && name.find("://") == name.npos && name.find('@') == name.npos &&
         !(name[0] >= '0' && name[0] <= '9') && CountWords(name) <= 14 &&
         !OneOf(name, {"admin", "author", "administrator", "editor", "staff", "view all posts", "about the author", "authors"});
}

std::string ChooseAuthor(Offers* offers, const JsonLdArticle& jsonld) {
  if (GoodAuthor(jsonld.author)) return jsonld.author;
  std::stable_sort(offers->authors.begin(), offers->authors.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::string all;
  int rank = -1;
  for (const auto& [offer_rank, raw] : offers->authors) {
    const std::string name = CleanAuthor(raw);
    if (!GoodAuthor(name) || (rank >= 0 && offer_rank != rank)) continue;
    if (rank >= 30) break;  // bylines repeat; machine-readable fields list several authors
    rank = offer_rank;
    if (all.find(name) == all.npos && all.size() < 300) all += (all.empty() ? "" : ", ") + name;
  }
  return all;
}

std::optional<PageTime> FirstDate(std::vector<std::pair<int, std::string>>* offers, bool day_first) {
  std::stable_sort(offers->begin(), offers->end(), [](auto& a, auto& b) { return a.first < b.first; });
  for (const auto& [rank, text] : *offers)
    if (auto time = ParseDate(text, day_first)) return time;
  return std::nullopt;
}

}  // namespace

std::string TextBelow(const Tree& tree, uint32_t node, size_t bytes_max) {
  std::string out;
  for (uint32_t i = node + 1; i < tree.nodes[node].end && out.size() < bytes_max;) {
    const Node& n = tree.nodes[i];
    if (n.tag == Tag::kText) AppendCollapsed(Prefix(n.text, bytes_max), 0, &out);
    else if (TagBits(n.tag) & tag_bits::kSilent) { i = n.end; continue; }
    else if ((IsBlock(n.tag) || n.tag == Tag::kBr) && !out.empty() && out.back() != ' ') out.push_back(' ');
    ++i;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string AbsoluteUrl(std::string_view base, std::string_view link) {
  link = Trim(link);
  const size_t scheme_end = link.find(':');
  const bool absolute = scheme_end != link.npos && scheme_end < link.find_first_of("/?#");
  const size_t host = base.find("://");
  if (link.empty() || absolute || host == base.npos) return std::string(link);
  if (link.starts_with("//")) return std::string(base.substr(0, host + 1)).append(link);
  const size_t path = std::min(base.find('/', host + 3), base.size());
  if (link[0] == '/') return std::string(base.substr(0, path)).append(link);
  const std::string_view bare = base.substr(0, std::min(base.find_first_of("?#", path), base.size()));
  if (link[0] == '#' || link[0] == '?') return std::string(bare).append(link);
  const size_t slash = bare.rfind('/');
  return std::string(slash < path ? bare : bare.substr(0, slash)).append("/").append(link);
}

void ReadMetadata(const Tree& tree, std::string_view url, JsonLdArticle* jsonld, Page* page) {
  Offers offers = Collector(tree, jsonld).Collect(&page->feeds);
  const std::string base = offers.base.empty() ? std::string(url) : AbsoluteUrl(url, offers.base);
  page->site = !offers.site.empty() ? offers.site : jsonld->site;
  page->author = ChooseAuthor(&offers, *jsonld);
  page->section = !jsonld->section.empty() ? jsonld->section : offers.section;
  page->description = offers.description;
  const std::string& canonical = offers.canonical.empty() ? offers.og_url : offers.canonical;
  if (!canonical.empty()) page->canonical_url = AbsoluteUrl(base, canonical);
  page->title = ChooseTitle(offers, *jsonld, page->site, url.empty() ? std::string_view(page->canonical_url) : url);
  if (!offers.refresh.empty()) page->refresh_url = AbsoluteUrl(base, offers.refresh);
  page->language = !offers.language.empty() ? offers.language : LowerAscii(jsonld->language);
  std::replace(page->language.begin(), page->language.end(), '_', '-');
  for (PageFeedLink& feed : page->feeds) feed.url = AbsoluteUrl(base, feed.url);
  const bool day_first = WritesDayFirst(page->language);
  page->modified = jsonld->modified ? jsonld->modified : FirstDate(&offers.modified, day_first);
  page->published = jsonld->is_article && jsonld->published ? jsonld->published : FirstDate(&offers.published, day_first);
  if (!page->published) page->published = jsonld->published;
}

}  // namespace racewatch::ingest::page
