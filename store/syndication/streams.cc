#include "store/syndication/streams.h"

#include <google/protobuf/util/time_util.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <utility>

#include "base/percent_encoding.h"
#include "base/taxonomy.h"
#include "racewatch/v1/store_service.pb.h"
#include "store/alert/alert_json.h"
#include "store/article_row.h"
#include "store/query.h"
#include "store/store_series_view.h"
#include "store/syndication/document.h"

namespace racewatch::store {
namespace {

using base::HttpRequest;
using base::HttpResponse;
using google::protobuf::util::TimeUtil;

constexpr std::string_view kPrefix = "/api/v1/streams/";

// Where the reader reached us. The proxy in front knows better than the connection.
std::string Origin(const HttpRequest& request) {
  const auto header = [&request](const char* name) {
    const auto at = request.headers.find(name);
    return at == request.headers.end() ? std::string() : at->second;
  };
  std::string host = header("x-forwarded-host").empty() ? header("host") : header("x-forwarded-host");
  const bool valid = !host.empty() && host.size() < 256 && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
  });
  if (!valid) host = "localhost";
  return (header("x-forwarded-proto") == "https" ? "https://" : "http://") + host;
}

// The parameters of the request with another page token; an empty token leaves it out.
std::string UrlOf(const HttpRequest& request, const std::string& page_token) {
  std::string out = Origin(request) + request.path;
  char separator = '?';
  const auto add = [&](const std::string& name, const std::string& value) {
    out.push_back(separator);
    out += base::PercentEncode(name) + "=" + base::PercentEncode(value);
    separator = '&';
  };
  for (const auto& [name, value] : request.query)
    if (name != "page_token") add(name, value);
  if (!page_token.empty()) add("page_token", page_token);
  return out;
}

// Of the stream, whatever the page, the format and the address it was asked under.
std::string StreamId(const HttpRequest& request) {
  std::string name = request.path.substr(0, request.path.rfind('.'));
  for (const auto& [key, value] : request.query)
    if (key != "page_token" && key != "page_size") name += "&" + base::PercentEncode(key) + "=" + base::PercentEncode(value);
  return UrnOfText(name);
}

SyndicationFeed NewFeed(const HttpRequest& request, std::string title, std::string description) {
  SyndicationFeed feed;
  feed.id = StreamId(request);
  feed.title = "racewatch: " + std::move(title);
  feed.description = std::move(description);
  feed.home_url = Origin(request) + "/";
  feed.self_url = UrlOf(request, request.Query("page_token"));
  feed.first_url = UrlOf(request, "");
  return feed;
}

bool Known(const HttpRequest& request, const std::string& tag) {
  const auto header = request.headers.find("if-none-match");
  if (header == request.headers.end()) return false;
  std::string_view left = header->second;
  while (!left.empty()) {
    std::string_view one = left.substr(0, left.find(','));
    left.remove_prefix(std::min(left.size(), one.size() + 1));
    while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
    while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);  // 304 compares weakly (RFC 9110, 13.1.2)
    if (one == "*" || one == tag) return true;
  }
  return false;
}

HttpResponse Conditional(const HttpRequest& request, std::string body, std::string content_type) {
  const XXH128_hash_t hash = XXH3_128bits(body.data(), body.size());
  char tag[35];
  std::snprintf(tag, sizeof tag, "\"%016llx%016llx\"", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  HttpResponse out;
  out.content_type = std::move(content_type);
  out.headers.emplace("ETag", tag);
  out.headers.emplace("Cache-Control", "no-cache");  // ask again, with the tag
  if (Known(request, tag)) out.status = 304;
  else out.body = std::move(body);
  return out;
}

HttpResponse Failed(const base::Status& status) {
  HttpResponse out;
  out.status = HttpStatusFor(status);
  out.body = ErrorJson(status);
  return out;
}

HttpResponse Finish(const HttpRequest& request, const SyndicationFeed& feed) {
  if (request.path.ends_with(".json")) return Conditional(request, ToJsonFeed(feed), "application/feed+json; charset=utf-8");
  return Conditional(request, ToAtom(feed), "application/atom+xml; charset=utf-8");
}

base::UnixMs Ms(const google::protobuf::Timestamp& time) { return TimeUtil::TimestampToMilliseconds(time); }

SyndicationEntry EntryOf(const ArticleRow& row, const v1::TaggedArticle& tagged) {
  const v1::Article& article = tagged.article();
  SyndicationEntry entry;
  entry.id = UrnOfHex(article.id());
  entry.title = article.title().empty() ? article.url() : article.title();
  entry.url = article.url();
  entry.summary = Snippet(article);
  entry.author = article.publisher().empty() ? "unknown" : article.publisher();  // Atom wants one
  if (!article.author().empty()) entry.author = article.author() + ", " + entry.author;
  if (article.language() != "und") entry.language = article.language();
  if (row.counted.event.ms > 0) entry.published = row.counted.event.ms;
  // By the source's times, not by our clock: a store that is rebuilt must not show everything as new.
  for (const auto* time : {&article.fetched_at(), &article.revision_at()}) entry.updated = std::max(entry.updated, Ms(*time));
  entry.tags = LabelNames(row.counted.labels);
  return entry;
}

HttpResponse AnswerArticleStream(const Query& query, const HttpRequest& request, v1::ArticleFilter filter, std::string title) {
  uint64_t before = 0;
  uint32_t page_size = 0;
  std::string token;
  base::Status status = ReadPage(request, &page_size, &token);
  if (status.ok() && !token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
    if (error != std::errc() || end != token.data() + token.size() || before == 0)
      status = base::InvalidArgument("page_token: '" + token.substr(0, 40) + "' is not one of ours");
  }
  if (!status.ok()) return Failed(status);
  SyndicationFeed feed = NewFeed(request, std::move(title), "Articles as they are counted, newest first, with their labels.");
  const auto next = query.LatestArticles(filter, page_size, before, [&feed](const ArticleRow& row, const v1::TaggedArticle& article) {
    feed.entries.push_back(EntryOf(row, article));
  });
  if (!next.ok()) return Failed(next.status());
  if (*next > 0) feed.next_url = UrlOf(request, std::to_string(*next));
  return Finish(request, feed);
}

// The stream of one label, which the path names and the parameters may narrow.
HttpResponse AnswerLabelStream(const Query& query, const HttpRequest& request, const char* what,
                               void (*set)(v1::ArticleFilter*, const std::string&)) {
  v1::ArticleFilter filter;
  if (const base::Status status = ReadFilter(request, &filter); !status.ok()) return Failed(status);
  const std::string label = request.captures.empty() ? "" : request.captures[0];
  set(&filter, label);
  return AnswerArticleStream(query, request, filter, std::string(what) + " " + label);
}

HttpResponse AnswerArticles(const Query& query, const HttpRequest& request) {
  v1::ArticleFilter filter;
  if (const base::Status status = ReadFilter(request, &filter); !status.ok()) return Failed(status);
  return AnswerArticleStream(query, request, filter, "articles");
}

HttpResponse AnswerTheme(const Query& query, const HttpRequest& request) {
  if (!request.captures.empty() && !base::IndexOf(base::kThemes, request.captures[0]))
    return Failed(base::NotFound("theme '" + request.captures[0].substr(0, 60) + "' is not in the taxonomy"));
  return AnswerLabelStream(query, request, "theme", [](v1::ArticleFilter* f, const std::string& label) { f->set_theme(label); });
}

HttpResponse AnswerTarget(const Query& query, const HttpRequest& request) {
  if (!request.captures.empty() && !base::IndexOf(base::kTargets, request.captures[0]))
    return Failed(base::NotFound("target '" + request.captures[0].substr(0, 60) + "' is not in the taxonomy"));
  return AnswerLabelStream(query, request, "target", [](v1::ArticleFilter* f, const std::string& label) { f->set_target(label); });
}

HttpResponse AnswerQuery(const Query& query, const HttpRequest& request) {
  const std::string name = request.captures.empty() ? "" : request.captures[0];
  v1::ListQueriesResponse known;
  if (const base::Status status = query.ListQueries({}, &known); !status.ok()) return Failed(status);
  if (std::none_of(known.queries().begin(), known.queries().end(), [&name](const v1::SavedQuery& one) { return one.name() == name; }))
    return Failed(base::NotFound("query '" + name.substr(0, 64) + "' is not in the configuration"));
  return AnswerLabelStream(query, request, "query", [](v1::ArticleFilter* f, const std::string& label) { f->set_query(label); });
}

std::string Number(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4g", value);
  return out;
}

SyndicationEntry EntryOf(const v1::Alert& alert) {
  SyndicationEntry entry;
  entry.id = UrnOfHex(alert.id());
  const std::string state(AlertStateName(alert));
  entry.title = alert.rule() + ": " + alert.key() + (alert.state() == v1::ALERT_STATE_CLOSE ? " (over)" : "");
  entry.author = "racewatch";
  entry.published = Ms(alert.opened_at());
  entry.updated = Ms(alert.at());
  entry.summary = "State " + state + ". Seen " + Number(alert.observed()) + ", expected " + Number(alert.expected()) + " in " +
                  alert.window() + "; score " + Number(alert.score()) + "; " + std::to_string(alert.publishers()) + " publishers, " +
                  std::to_string(alert.stories()) + " stories, coverage " + Number(alert.coverage()) + ".";
  entry.html = "<p>" + EscapeHtml(entry.summary) + "</p><ul>";
  for (const v1::AlertEvidence& one : alert.evidence()) {
    const std::string title = EscapeHtml(one.title().empty() ? one.url() : one.title());
    entry.html += "<li>" + (one.url().empty() ? title : "<a href=\"" + EscapeHtml(one.url()) + "\">" + title + "</a>") + " (" +
                  EscapeHtml(one.publisher()) + ")<br>" + EscapeHtml(one.snippet()) + "</li>";
  }
  entry.html += "</ul>";
  entry.tags = {"rule:" + alert.rule(), "key:" + alert.key(), "state:" + state};
  return entry;
}

HttpResponse AnswerAlerts(const Query& query, const HttpRequest& request) {
  v1::ListAlertsRequest wanted;
  if (const base::Status status = ReadAlerts(request, &wanted); !status.ok()) return Failed(status);
  if (!request.captures.empty() && !request.captures[0].empty()) wanted.set_rule(request.captures[0]);
  v1::ListAlertsResponse found;
  if (const base::Status status = query.ListAlerts(wanted, &found); !status.ok()) return Failed(status);
  SyndicationFeed feed = NewFeed(request, wanted.rule().empty() ? "alerts" : "alerts of " + wanted.rule(),
                                 "Alerts with their evidence; an entry changes with the state of its alert.");
  for (const v1::Alert& alert : found.alerts()) feed.entries.push_back(EntryOf(alert));
  if (!found.next_page_token().empty()) feed.next_url = UrlOf(request, found.next_page_token());
  return Finish(request, feed);
}

HttpResponse AnswerList(const Query& query, const HttpRequest& request) {
  v1::ListQueriesResponse queries;
  if (const base::Status status = query.ListQueries({}, &queries); !status.ok()) return Failed(status);
  std::vector<StreamLink> streams;
  const auto add = [&](const std::string& title, const std::string& path) {
    streams.push_back({title, Origin(request) + std::string(kPrefix) + path + ".atom"});
  };
  add("articles", "articles");
  for (const auto theme : base::kThemes) add("theme " + std::string(theme), "themes/" + std::string(theme));
  for (const auto target : base::kTargets) add("target " + std::string(target), "targets/" + std::string(target));
  for (const auto& saved : queries.queries()) add("query " + saved.name(), "queries/" + saved.name());
  add("alerts", "alerts");
  return Conditional(request, ToOpml("racewatch", streams), "text/x-opml; charset=utf-8");
}

// What the path says already is no parameter.
std::vector<Parameter> Without(std::vector<Parameter> parameters, std::string_view name) {
  std::erase_if(parameters, [name](const Parameter& p) { return p.name == name; });
  return parameters;
}

std::vector<Endpoint> MakeEndpoints() {
  std::vector<Parameter> article_parameters = FilterParameters(), alert_parameters = PageParameters();
  article_parameters.insert(article_parameters.end(), PageParameters().begin(), PageParameters().end());
  alert_parameters.push_back({"open_only", "boolean", "Only what is open"});
  constexpr std::string_view kFormats = "Atom, or JSON Feed 1.1 where {format} is json";
  constexpr std::string_view kAtom = "application/atom+xml";
  return {
      {"/api/v1/streams.opml", "/api/v1/streams\\.opml", "The streams below, as a list for feed readers", "OPML 2.0", {}, AnswerList, "text/x-opml"},
      {"/api/v1/streams/articles.{format}", "/api/v1/streams/articles\\.(?:atom|json)", "Articles for feed readers, newest first", kFormats,
       article_parameters, AnswerArticles, kAtom},
      {"/api/v1/streams/themes/{theme}.{format}", "/api/v1/streams/themes/([^/.]+)\\.(?:atom|json)", "Articles of one theme for feed readers",
       kFormats, Without(article_parameters, "theme"), AnswerTheme, kAtom},
      {"/api/v1/streams/targets/{target}.{format}", "/api/v1/streams/targets/([^/.]+)\\.(?:atom|json)",
       "Articles that speak to one stance target, for feed readers", kFormats, Without(article_parameters, "target"), AnswerTarget, kAtom},
      {"/api/v1/streams/queries/{query}.{format}", "/api/v1/streams/queries/([^/.]+)\\.(?:atom|json)",
       "Articles that met a saved query, for feed readers", kFormats, Without(article_parameters, "query"), AnswerQuery, kAtom},
      {"/api/v1/streams/alerts.{format}", "/api/v1/streams/alerts\\.(?:atom|json)", "Alerts for feed readers, newest first", kFormats,
       alert_parameters, AnswerAlerts, kAtom},
      {"/api/v1/streams/alerts/{rule}.{format}", "/api/v1/streams/alerts/([^/.]+)\\.(?:atom|json)", "Alerts of one rule for feed readers", kFormats,
       alert_parameters, AnswerAlerts, kAtom},
  };
}

}  // namespace

const std::vector<Endpoint>& StreamEndpoints() {
  static const std::vector<Endpoint> endpoints = MakeEndpoints();
  return endpoints;
}

}  // namespace racewatch::store
