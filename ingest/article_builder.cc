#include "ingest/article_builder.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "ingest/aggregator.h"
#include "ingest/entry_filter.h"
#include "ingest/feed/html_text.h"
#include "ingest/language.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr size_t kTextBytesMax = 256u << 10;
constexpr size_t kTitleBytesMax = 1024;
constexpr size_t kUrlBytesMax = 8192;
constexpr int kCategoriesMax = 32;

// At most `bytes_max`, never in the middle of a character.
std::string Cut(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  return text;
}

size_t CharCount(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Feeds that cut their texts say so at the end.
bool LooksCut(std::string_view text) {
  static constexpr std::array<std::string_view, 10> kMarks = {
      "[…]", "[...]", "[&#8230;]", "Read more", "Read More", "Continue reading", "read more", "阅读全文", "阅读更多", "查看全文"};
  const std::string_view tail = text.substr(text.size() - std::min<size_t>(text.size(), 90));
  if (tail.ends_with("…") || tail.ends_with("...")) return true;
  return std::any_of(kMarks.begin(), kMarks.end(), [tail](std::string_view m) { return tail.find(m) != std::string_view::npos; });
}

// For entries without a title (short messages): their first sentence.
std::string TitleFromText(const std::string& text) {
  std::string title = text.substr(0, text.find('\n'));
  constexpr size_t kMax = 120;
  if (title.size() <= kMax) return title;
  const size_t space = title.rfind(' ', kMax);
  return Cut(title, space == std::string::npos || space < kMax / 2 ? kMax : space) + "…";
}

v1::DatePrecision ToProto(TimePrecision p) {
  return p == TimePrecision::kDay ? v1::DATE_PRECISION_DAY
         : p == TimePrecision::kMinute ? v1::DATE_PRECISION_MINUTE
                                       : v1::DATE_PRECISION_SECOND;
}

v1::DatePrecision ToProto(PagePrecision p) {
  return p == PagePrecision::kDay ? v1::DATE_PRECISION_DAY
         : p == PagePrecision::kMinute ? v1::DATE_PRECISION_MINUTE
                                       : v1::DATE_PRECISION_SECOND;
}

void SetTime(base::UnixMs ms, google::protobuf::Timestamp* out) {
  int64_t seconds = ms / 1000;
  if (ms % 1000 < 0) --seconds;
  // What protobuf's Timestamp can hold: years 1 to 9999.
  seconds = std::clamp<int64_t>(seconds, -62'135'596'800, 253'402'300'799);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>((ms - seconds * 1000) % 1000 * 1'000'000));
  if (out->nanos() < 0) out->set_nanos(0);
}

std::string EntryLink(const FeedEntry& entry) {
  if (!entry.link.empty()) return entry.link;
  return entry.id.starts_with("http://") || entry.id.starts_with("https://") ? entry.id : std::string();
}

bool IsHomePage(const CanonicalUrl& url) { return url.url.find('/', 8) == url.url.size() - 1; }

void SetText(const FeedEntry& entry, uint32_t summary_chars_max, Draft* draft) {
  v1::Article& article = draft->article;
  const bool content = entry.content.size() >= entry.summary.size();
  std::string text = HtmlToText(content ? entry.content : entry.summary);
  if (text.empty() && !entry.summary.empty()) text = HtmlToText(entry.summary);
  std::string title = Cut(entry.title, kTitleBytesMax);
  if (title.empty()) title = TitleFromText(text);
  if (text == title) text.clear();
  draft->entry_hash = ContentHash(title, text);
  draft->title_hash = ContentHash(title, "");
  const bool full = CharCount(text) >= summary_chars_max && !LooksCut(text);
  article.set_body_quality(text.empty() ? v1::BODY_QUALITY_TITLE_ONLY
                           : full       ? v1::BODY_QUALITY_FULL
                                        : v1::BODY_QUALITY_SUMMARY);
  article.set_title(std::move(title));
  article.set_text(Cut(std::move(text), kTextBytesMax));
}

// Which addresses and guids of a document stand for more than one title.
class Repeats {
 public:
  void Add(const ArticleId& key, uint64_t title_hash) {
    const auto [it, added] = titles_.emplace(key, title_hash);
    if (!added && it->second != title_hash) shared_.insert(key);
  }
  bool Shared(const ArticleId& key) const { return shared_.contains(key); }

 private:
  std::unordered_map<ArticleId, uint64_t> titles_;
  std::unordered_set<ArticleId> shared_;
};

}  // namespace

ArticleBuilder::ArticleBuilder(const PublisherRegistry& publishers, Options options)
    : publishers_(publishers), options_(options) {}

void ArticleBuilder::SetPublisher(const FeedEntry& entry, const Feed& feed, const FeedSpec& spec, v1::Article* article) const {
  // The first of: the feed an aggregator took it from, the article's own address, the feed's site, the feed.
  std::string fallback;
  for (const std::string* url : {&entry.source.link, &article->url(), &feed.link, &spec.url}) {
    const std::string host = UrlHost(*url);
    if (host.empty()) continue;
    const Publisher* known = publishers_.Find(host);
    const std::string domain = known != nullptr ? known->domain : RegistrableDomain(host);
    if (fallback.empty()) fallback = domain;
    if (known != nullptr && known->kind == "aggregator" && url != &spec.url) continue;
    SetPublisherOf(host, article);
    break;
  }
  if (article->publisher().empty()) {
    article->set_publisher(fallback);
    article->set_publisher_family(fallback);
    article->set_publisher_group(std::string(PublisherRegistry::GroupOfDomain(fallback)));
  }
  if (!spec.group.empty()) article->set_publisher_group(spec.group);
}

void ArticleBuilder::SetPublisherOf(std::string_view host, v1::Article* article) const {
  const Publisher* known = publishers_.Find(host);
  const std::string domain = RegistrableDomain(host);
  article->set_publisher(domain);
  article->set_publisher_family(known != nullptr ? known->family : domain);
  article->set_publisher_group(known != nullptr ? known->group : std::string(PublisherRegistry::GroupOfDomain(host)));
}

std::string_view ArticleBuilder::DropReason(const FeedEntry& entry, const FeedSpec& spec, base::UnixMs now_ms) const {
  if (spec.filter && !spec.filter->Takes(entry)) return "excluded";
  if (!entry.title.empty() || !entry.summary.empty() || !entry.content.empty() || !entry.updated) return "";
  return entry.updated->unix_ms < now_ms - int64_t{options_.untitled_days_max} * 86'400'000 ? "old" : "";
}

Draft ArticleBuilder::FromEntry(const FeedEntry& entry, const EntryKeys& keys, const Feed& feed, const FeedSpec& spec) const {
  Draft draft;
  v1::Article& article = draft.article;
  article.set_id_rule(kIdRule);
  article.set_feed_id(spec.id);
  article.set_lane(v1::LANE_LIVE);
  article.set_url(Cut(EntryLink(entry), kUrlBytesMax));
  if (const auto canonical = Canonicalize(article.url())) article.set_canonical_url(canonical->url);
  article.set_author(Cut(entry.author, 512));
  for (const std::string& category : entry.categories) {
    if (article.categories_size() >= kCategoriesMax) break;
    article.add_categories(Cut(category, 256));
  }
  SetText(entry, options_.summary_chars_max, &draft);
  // All that an address without a title says of its content is when it changed.
  if (article.title().empty() && entry.updated) draft.entry_hash = ContentHash(article.url(), std::to_string(entry.updated->unix_ms));
  SetPublisher(entry, feed, spec, &article);
  draft.group_is_set = !spec.group.empty();
  draft.language_hint = !entry.language.empty() ? entry.language : !feed.language.empty() ? feed.language : spec.language;
  if (entry.published)
    draft.claims.feed = TimeClaim{entry.published->unix_ms, ToProto(entry.published->precision)};
  else if (entry.updated && !article.title().empty())  // a sitemap's address was changed then, not published
    draft.claims.feed = TimeClaim{entry.updated->unix_ms, ToProto(entry.updated->precision)};
  if (entry.updated) draft.updated_ms = entry.updated->unix_ms;
  draft.claims.url = DateInUrl(article.url());
  draft.wants_page = spec.fetch_pages && article.body_quality() < v1::BODY_QUALITY_FULL && !article.canonical_url().empty();
  if (keys.url) draft.keys.push_back(*keys.url);
  if (keys.guid) draft.keys.push_back(*keys.guid);
  draft.guid_key = keys.guid;
  if (draft.keys.empty()) draft.keys.push_back(TextKey(article.title(), article.text()));
  return draft;
}

std::vector<ArticleBuilder::EntryKeys> ArticleBuilder::KeysOf(const Feed& feed, const std::string& feed_id) {
  std::vector<EntryKeys> keys(feed.entries.size());
  Repeats repeats;
  const auto home = Canonicalize(feed.link);
  for (size_t i = 0; i < keys.size(); ++i) {
    const FeedEntry& entry = feed.entries[i];
    const uint64_t title = ContentHash(entry.title, entry.title.empty() ? entry.summary : "");
    const auto canonical = Canonicalize(EntryLink(entry));
    const bool names_site = canonical && (IsHomePage(*canonical) || (home && home->key == canonical->key));
    if (canonical && !names_site) repeats.Add(*(keys[i].url = UrlKey(canonical->key)), title);
    if (!entry.id.empty()) repeats.Add(*(keys[i].guid = GuidKey(feed_id, entry.id)), title);
  }
  for (EntryKeys& entry : keys) {
    if (entry.url && repeats.Shared(*entry.url)) entry.url.reset();
    if (entry.guid && repeats.Shared(*entry.guid)) entry.guid.reset();
  }
  return keys;
}

ArticleBuilder::PageKeys ArticleBuilder::KeysOf(const Page& page, const std::string& final_url) {
  PageKeys keys;
  const auto target = Canonicalize(final_url);
  if (target && !IsHomePage(*target)) keys.strong = UrlKey(target->key);
  const auto canonical = Canonicalize(page.canonical_url);
  if (canonical && !IsHomePage(*canonical)) keys.weak = UrlKey(canonical->key);
  return keys;
}

void ArticleBuilder::AddPage(const Page& page, const std::string& final_url, Draft* draft) const {
  v1::Article& article = draft->article;
  const bool walled = page.consent_wall || page.captcha || page.empty_shell;
  const size_t feed_chars = CharCount(article.text());
  const size_t page_chars = CharCount(page.text);
  if (walled) {
    // What such a page shows is the wall's text, not the article's.
    if (article.body_quality() == v1::BODY_QUALITY_SUMMARY) article.set_body_quality(v1::BODY_QUALITY_PARTIAL);
  } else if (page_chars > feed_chars || (page_chars > 0 && article.text().empty())) {
    article.set_text(Cut(page.text, kTextBytesMax));
    article.set_body_quality(page.paywalled ? v1::BODY_QUALITY_PARTIAL : v1::BODY_QUALITY_FULL);
  }
  if (walled) return;
  if (article.title().empty()) {
    article.set_title(Cut(page.title, kTitleBytesMax));
    draft->title_hash = ContentHash(article.title(), "");
  }
  if (page.published) draft->claims.page = TimeClaim{page.published->time_ms, ToProto(page.published->precision)};
  if (article.author().empty()) article.set_author(Cut(page.author, 512));
  if (draft->language_hint.empty()) draft->language_hint = page.language;
  const auto canonical = Canonicalize(page.canonical_url);
  const auto target = Canonicalize(final_url);
  if (canonical && !IsHomePage(*canonical))
    article.set_canonical_url(canonical->url);
  else if (target && !IsHomePage(*target))
    article.set_canonical_url(target->url);
  const std::string host = UrlHost(article.canonical_url());
  if (!host.empty() && !IsAggregatorHost(host) && IsAggregatorHost(UrlHost(article.url()))) {
    const std::string group = article.publisher_group();
    SetPublisherOf(host, &article);
    if (draft->group_is_set) article.set_publisher_group(group);
  }
}

void ArticleBuilder::Finish(const ArticleId& id, base::UnixMs first_fetched_ms, base::UnixMs revision_at_ms, Draft* draft) const {
  v1::Article& article = draft->article;
  article.set_id(id.ToHex());
  SetTime(first_fetched_ms, article.mutable_fetched_at());
  SetTime(revision_at_ms, article.mutable_revision_at());
  const EventTime time = DecideEventTime(draft->claims, first_fetched_ms);
  article.set_date_source(time.source);
  article.set_date_precision(time.precision);
  if (time.time_ms) SetTime(*time.time_ms, article.mutable_published());
  if (time.original_ms) SetTime(*time.original_ms, article.mutable_published_original());
  article.set_language(DetectLanguage(article.title(), article.text(), draft->language_hint));
  article.set_content_hash(HexOf(ContentHash(article.title(), article.text())));
}

}  // namespace racewatch::ingest
