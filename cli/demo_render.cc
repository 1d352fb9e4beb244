#include "cli/demo_render.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace racewatch::cli {
namespace {

constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct CivilTime {
  int year;
  unsigned month, day, weekday;
  int hour, minute, second;
};

CivilTime ToCivil(int64_t unix_ms, int offset_min) {
  using namespace std::chrono;
  const sys_seconds t{seconds(unix_ms / 1000 + offset_min * 60)};
  const sys_days day = floor<days>(t);
  const year_month_day ymd(day);
  const hh_mm_ss<seconds> time(t - day);
  return {static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
          weekday(day).c_encoding(), static_cast<int>(time.hours().count()),
          static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count())};
}

// One shown item: the article and the version on show.
struct Shown {
  const DemoArticle* article;
  const DemoVersion* version;
  int64_t published;  // Unix milliseconds
  int64_t updated;
};

std::vector<Shown> ShownItems(const DemoWeek& week, size_t feed, int64_t ms) {
  std::vector<Shown> items;
  for (auto it = week.articles.rbegin(); it != week.articles.rend() && items.size() < kDemoFeedItemsMax; ++it) {
    if (it->feed != feed) continue;
    if (const DemoVersion* version = it->At(ms))
      items.push_back({&*it, version, week.start_ms + it->published_ms(), week.start_ms + version->at_ms});
  }
  return items;
}

std::string ParagraphsHtml(const DemoVersion& version) {
  std::string html;
  for (const std::string& p : version.paragraphs) html += "<p>" + EscapeXml(p) + "</p>\n";
  return html;
}

std::string Element(std::string_view name, std::string_view text) {
  std::string out = "<";
  out.append(name).append(">").append(EscapeXml(text)).append("</").append(name).append(">\n");
  return out;
}

std::string SiteUrl(const DemoFeed& feed) { return "http://" + feed.host + "/"; }

std::string Markup(const DemoFeed& feed, const std::string& html) {
  return feed.cdata ? CdataSection(html) : EscapeXml(html);
}

std::string RssItem(const DemoFeed& feed, const Shown& item) {
  const DemoVersion& v = *item.version;
  std::string out = "<item>\n" + Element("title", v.title) + Element("link", item.article->link);
  out += feed.guid_style == "url" ? "<guid>" : "<guid isPermaLink=\"false\">";
  out += EscapeXml(item.article->guid) + "</guid>\n";
  out += Element("pubDate", FormatRfc822(item.published, feed.utc_offset_min));
  if (!v.author.empty()) out += Element("dc:creator", v.author);
  for (const std::string& c : v.categories) out += Element("category", c);
  out += "<description>" + Markup(feed, EscapeXml(v.paragraphs.front())) + "</description>\n";
  if (!feed.summary_only) out += "<content:encoded>" + Markup(feed, ParagraphsHtml(v)) + "</content:encoded>\n";
  return out + "</item>\n";
}

std::string RenderRss(const DemoFeed& feed, const std::vector<Shown>& items, int64_t changed_ms) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" "
      "xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n"
      "<channel>\n";
  out += Element("title", feed.title) + Element("link", SiteUrl(feed)) + Element("description", feed.description);
  out += "<atom:link rel=\"self\" type=\"application/rss+xml\" href=\"" +
         EscapeXml("http://" + feed.host + feed.path) + "\"/>\n";
  out += Element("language", feed.language) + Element("lastBuildDate", FormatRfc822(changed_ms, feed.utc_offset_min));
  out += "<generator>racewatch demo week (invented texts)</generator>\n<ttl>10</ttl>\n";
  for (const Shown& item : items) out += RssItem(feed, item);
  return out + "</channel>\n</rss>\n";
}

std::string RenderRdf(const DemoFeed& feed, const std::vector<Shown>& items, int64_t changed_ms) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "
      "xmlns=\"http://purl.org/rss/1.0/\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" "
      "xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n";
  out += "<channel rdf:about=\"" + EscapeXml("http://" + feed.host + feed.path) + "\">\n";
  out += Element("title", feed.title) + Element("link", SiteUrl(feed)) + Element("description", feed.description);
  out += Element("dc:language", feed.language) + Element("dc:date", FormatRfc3339(changed_ms, feed.utc_offset_min));
  out += "<items><rdf:Seq>\n";
  for (const Shown& item : items) out += "<rdf:li rdf:resource=\"" + EscapeXml(item.article->link) + "\"/>\n";
  out += "</rdf:Seq></items>\n</channel>\n";
  for (const Shown& item : items) {
    const DemoVersion& v = *item.version;
    out += "<item rdf:about=\"" + EscapeXml(item.article->link) + "\">\n" + Element("title", v.title) +
           Element("link", item.article->link) + Element("dc:date", FormatRfc3339(item.published, feed.utc_offset_min));
    if (!v.author.empty()) out += Element("dc:creator", v.author);
    for (const std::string& c : v.categories) out += Element("dc:subject", c);
    out += Element("description", v.paragraphs.front());
    if (!feed.summary_only) out += "<content:encoded>" + Markup(feed, ParagraphsHtml(v)) + "</content:encoded>\n";
    out += "</item>\n";
  }
  return out + "</rdf:RDF>\n";
}

std::string RenderAtom(const DemoFeed& feed, const std::vector<Shown>& items, int64_t changed_ms) {
  std::string out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"" +
                    EscapeXml(feed.language) + "\">\n";
  out += Element("title", feed.title) + Element("subtitle", feed.description);
  out += Element("id", "tag:" + feed.host + ",2026:feed") + Element("updated", FormatRfc3339(changed_ms, feed.utc_offset_min));
  out += "<link rel=\"alternate\" type=\"text/html\" href=\"" + EscapeXml(SiteUrl(feed)) + "\"/>\n";
  out += "<link rel=\"self\" href=\"" + EscapeXml("http://" + feed.host + feed.path) + "\"/>\n";
  out += "<generator>racewatch demo week (invented texts)</generator>\n";
  for (const Shown& item : items) {
    const DemoVersion& v = *item.version;
    out += "<entry>\n" + Element("title", v.title) + Element("id", item.article->guid);
    out += "<link rel=\"alternate\" type=\"text/html\" href=\"" + EscapeXml(item.article->link) + "\"/>\n";
    out += Element("published", FormatRfc3339(item.published, feed.utc_offset_min));
    out += Element("updated", FormatRfc3339(item.updated, feed.utc_offset_min));
    if (!v.author.empty()) out += "<author>" + Element("name", v.author) + "</author>\n";
    for (const std::string& c : v.categories) out += "<category term=\"" + EscapeXml(c) + "\"/>\n";
    out += Element("summary", v.paragraphs.front());
    if (!feed.summary_only) out += "<content type=\"html\">" + EscapeXml(ParagraphsHtml(v)) + "</content>\n";
    out += "</entry>\n";
  }
  return out + "</feed>\n";
}

std::string RenderJsonFeed(const DemoFeed& feed, const std::vector<Shown>& items) {
  nlohmann::ordered_json j = {{"version", "https://jsonfeed.org/version/1.1"},
                              {"title", feed.title},
                              {"home_page_url", SiteUrl(feed)},
                              {"feed_url", "http://" + feed.host + feed.path},
                              {"description", feed.description},
                              {"language", feed.language},
                              {"items", nlohmann::ordered_json::array()}};
  for (const Shown& item : items) {
    const DemoVersion& v = *item.version;
    nlohmann::ordered_json entry = {{"id", item.article->guid}, {"url", item.article->link}, {"title", v.title}};
    if (feed.summary_only) entry["summary"] = v.paragraphs.front();
    else entry["content_html"] = ParagraphsHtml(v);
    entry["date_published"] = FormatRfc3339(item.published, feed.utc_offset_min);
    if (item.updated != item.published) entry["date_modified"] = FormatRfc3339(item.updated, feed.utc_offset_min);
    if (!v.author.empty()) entry["authors"] = {{{"name", v.author}}};
    if (!v.categories.empty()) entry["tags"] = v.categories;
    j["items"].push_back(std::move(entry));
  }
  return j.dump(1, '\t') + "\n";
}

std::string PageHead(const DemoFeed& feed, const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"" + EscapeXml(feed.language) + "\">\n<head>\n<meta charset=\"utf-8\">\n<title>" +
         EscapeXml(title) + " | " + EscapeXml(feed.title) + "</title>\n" +
         "<meta property=\"og:site_name\" content=\"" + EscapeXml(feed.title) + "\">\n";
}

// Furniture that a real site wraps around its text, in the site's own language.
struct Furniture {
  std::string_view home, sections, share, newsletter, related, note;
};

const Furniture& FurnitureFor(std::string_view language) {
  static constexpr Furniture kEnglish = {"Home", "Technology · Policy · Markets · Opinion", "Share this article",
                                         "Sign up for our morning newsletter", "More stories",
                                         "An invented publisher of the racewatch demo week."};
  static constexpr Furniture kChinese = {"首页", "科技 · 政策 · 财经 · 观点", "分享本文", "订阅每日早报", "更多报道",
                                         "本站为 racewatch 演示周虚构媒体。"};
  static constexpr Furniture kGerman = {"Startseite", "Technik · Politik · Wirtschaft · Meinung", "Artikel teilen",
                                        "Newsletter abonnieren", "Mehr zum Thema",
                                        "Ein erfundenes Medium der racewatch-Demowoche."};
  static constexpr Furniture kFrench = {"Accueil", "Technologie · Politique · Économie · Débats", "Partager",
                                        "S'abonner à la lettre du matin", "À lire aussi",
                                        "Un média inventé pour la semaine de démonstration de racewatch."};
  if (language.starts_with("zh")) return kChinese;
  if (language.starts_with("de")) return kGerman;
  if (language.starts_with("fr")) return kFrench;
  return kEnglish;
}

std::string LinkList(const DemoWeek& week, size_t feed, int64_t ms, size_t count, const DemoArticle* except) {
  std::string out = "<ul>\n";
  for (const Shown& item : ShownItems(week, feed, ms)) {
    if (item.article == except || count == 0) continue;
    --count;
    out += "<li><a href=\"" + EscapeXml(item.article->link) + "\">" + EscapeXml(item.version->title) + "</a></li>\n";
  }
  return out + "</ul>\n";
}

}  // namespace

std::string FormatRfc3339(int64_t unix_ms, int offset_min) {
  const CivilTime t = ToCivil(unix_ms, offset_min);
  char zone[8] = "Z";
  const int distance = std::abs(offset_min) % (24 * 60);
  if (offset_min != 0)
    std::snprintf(zone, sizeof zone, "%c%02d:%02d", offset_min < 0 ? '-' : '+', distance / 60, distance % 60);
  char out[64];
  std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d%s", t.year, t.month, t.day, t.hour, t.minute, t.second,
                zone);
  return out;
}

std::string FormatRfc822(int64_t unix_ms, int offset_min) {
  const CivilTime t = ToCivil(unix_ms, offset_min);
  char zone[8] = "GMT";
  const int distance = std::abs(offset_min) % (24 * 60);
  if (offset_min != 0)
    std::snprintf(zone, sizeof zone, "%c%02d%02d", offset_min < 0 ? '-' : '+', distance / 60, distance % 60);
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04d %02d:%02d:%02d %s", kDays[t.weekday], t.day, kMonths[t.month - 1],
                t.year, t.hour, t.minute, t.second, zone);
  return out;
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string CdataSection(std::string_view text) {
  std::string out = "<![CDATA[";
  for (size_t at; (at = text.find("]]>")) != std::string_view::npos; text.remove_prefix(at + 2))
    out.append(text.substr(0, at + 2)).append("]]><![CDATA[");
  return out.append(text).append("]]>");
}

int64_t DemoFeedChangedMs(const DemoWeek& week, size_t feed, int64_t ms) {
  int64_t changed = 0;
  for (const DemoArticle& article : week.articles)
    if (article.feed == feed)
      if (const DemoVersion* version = article.At(ms)) changed = std::max(changed, version->at_ms);
  return changed;
}

std::string RenderDemoFeed(const DemoWeek& week, size_t feed, int64_t ms) {
  const DemoFeed& f = week.feeds[feed];
  const std::vector<Shown> items = ShownItems(week, feed, ms);
  const int64_t changed = week.start_ms + DemoFeedChangedMs(week, feed, ms);
  switch (f.format) {
    case DemoFormat::kRss2: return RenderRss(f, items, changed);
    case DemoFormat::kRdf: return RenderRdf(f, items, changed);
    case DemoFormat::kAtom: return RenderAtom(f, items, changed);
    case DemoFormat::kJsonFeed: return RenderJsonFeed(f, items);
  }
  return {};
}

std::string DemoFeedContentType(DemoFormat format) {
  switch (format) {
    case DemoFormat::kRss2: return "application/rss+xml; charset=utf-8";
    case DemoFormat::kRdf: return "application/rdf+xml; charset=utf-8";
    case DemoFormat::kAtom: return "application/atom+xml; charset=utf-8";
    case DemoFormat::kJsonFeed: return "application/feed+json";
  }
  return {};
}

std::string RenderDemoPage(const DemoWeek& week, const DemoArticle& article, int64_t ms) {
  const DemoFeed& feed = week.feeds[article.feed];
  const DemoVersion& v = *article.At(ms);
  const Furniture& words = FurnitureFor(feed.language);
  const std::string published = FormatRfc3339(week.start_ms + article.published_ms(), feed.utc_offset_min);
  std::string out = PageHead(feed, v.title);
  out += "<link rel=\"canonical\" href=\"" + EscapeXml(article.link) + "\">\n";
  out += "<meta property=\"og:type\" content=\"article\">\n<meta property=\"og:title\" content=\"" + EscapeXml(v.title) +
         "\">\n<meta property=\"article:published_time\" content=\"" + published + "\">\n";
  if (!v.author.empty()) out += "<meta name=\"author\" content=\"" + EscapeXml(v.author) + "\">\n";
  out += "</head>\n<body>\n<header class=\"site-header\"><a href=\"/\">" + EscapeXml(feed.title) + "</a>\n<nav><a href=\"/\">" +
         std::string(words.home) + "</a> " + std::string(words.sections) + "</nav></header>\n<main>\n<article>\n";
  out += "<h1>" + EscapeXml(v.title) + "</h1>\n<p class=\"byline\">";
  if (!v.author.empty()) out += "<span class=\"author\">" + EscapeXml(v.author) + "</span> · ";
  out += "<time datetime=\"" + published + "\">" + published.substr(0, 10) + "</time></p>\n<div class=\"article-body\">\n";
  out += ParagraphsHtml(v) + "</div>\n</article>\n<div class=\"share\"><a href=\"#\">" + std::string(words.share) +
         "</a></div>\n</main>\n<aside class=\"newsletter\">" + std::string(words.newsletter) + "</aside>\n";
  out += "<aside class=\"related\"><h2>" + std::string(words.related) + "</h2>\n" +
         LinkList(week, article.feed, ms, 4, &article) + "</aside>\n";
  return out + "<footer>" + EscapeXml(feed.title) + ". " + std::string(words.note) + "</footer>\n</body>\n</html>\n";
}

std::string RenderDemoFrontPage(const DemoWeek& week, size_t feed, int64_t ms) {
  const DemoFeed& f = week.feeds[feed];
  std::string out = PageHead(f, f.description);
  out += "<link rel=\"alternate\" title=\"" + EscapeXml(f.title) + "\" type=\"" +
         DemoFeedContentType(f.format).substr(0, DemoFeedContentType(f.format).find(';')) + "\" href=\"" +
         EscapeXml(f.path) + "\">\n</head>\n<body>\n<h1>" + EscapeXml(f.title) + "</h1>\n";
  out += LinkList(week, feed, ms, kDemoFeedItemsMax, nullptr);
  return out + "<footer>" + std::string(FurnitureFor(f.language).note) + "</footer>\n</body>\n</html>\n";
}

}  // namespace racewatch::cli
