#include "store/http_api.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "racewatch/v1/store_service.pb.h"
#include "store/backup.h"
#include "store/digest.h"
#include "store/http_params.h"
#include "store/page_files.h"
#include "store/syndication/streams.h"

namespace racewatch::store {
namespace {

using base::HttpRequest;
using base::HttpResponse;

constexpr auto kStreamWait = std::chrono::milliseconds(250);
constexpr auto kStreamKeepAlive = std::chrono::seconds(15);
constexpr size_t kStreamChunk = 100;

const std::vector<Parameter> kSeriesParameters = {
    {"series", "string", "One series, repeatable: theme=ID,language=CODE; all for every relevant article"},
    {"theme", "string", "Theme of the one series wanted"},
    {"target", "string", "Stance target of the one series wanted, with position"},
    {"position", "string", "favor, against, neutral or unsure, with target"},
    {"lean", "string", "us, china, neutral or unsure"},
    {"language", "string", "en, zh, de, fr, es, ja, ru, pt, it, ko or other"},
    {"publisher_group", "string", "us, china, europe or other"},
    {"query", "string", "Name of the one saved query wanted"},
    {"format", "string", "json (default) or csv"}};
const std::vector<Parameter> kSpanParameters = {
    {"window", "string", "hour (default), day or all"},
    {"from", "string", "Inclusive: RFC 3339, a day or Unix seconds"},
    {"to", "string", "Exclusive"}};
}  // namespace

const std::vector<Parameter>& FilterParameters() {
  static const std::vector<Parameter> parameters = {
      {"theme", "string", "Theme the article has"},   {"target", "string", "Stance target the article speaks to"},
      {"position", "string", "Position it takes"},    {"lean", "string", "Its lean"},
      {"language", "string", "Its language"},         {"publisher", "string", "Registrable domain of its publisher"},
      {"text", "string", "Words that must all occur in title or text"},
      {"query", "string", "Name of a saved query that met it"},
      {"relevant_only", "boolean", "Only articles on the race"},
      {"from", "string", "Published at or after"},    {"to", "string", "Published before"}};
  return parameters;
}

const std::vector<Parameter>& PageParameters() {
  static const std::vector<Parameter> parameters = {{"page_size", "integer", "Default 50, at most 500"},
                                                    {"page_token", "string", "next_page_token of the page before"}};
  return parameters;
}

namespace {

const std::vector<Parameter> kStreamParameters = {
    {"resume_token", "string", "Continue after this token; 0: the oldest kept; absent: from now on"},
    {"follow", "boolean", "false ends the stream when it has caught up; default true"}};

std::vector<Parameter> Join(std::initializer_list<std::vector<Parameter>> parts) {
  std::vector<Parameter> out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

HttpResponse Json(const base::Status& status, const google::protobuf::Message& message) {
  HttpResponse out;
  out.status = HttpStatusFor(status);
  out.body = status.ok() ? ToJson(message) + "\n" : ErrorJson(status);
  return out;
}

// The common shape: read parameters, ask, print.
template <typename Request, typename Response>
HttpResponse Call(const HttpRequest& http, base::Status (*read)(const HttpRequest&, Request*), const Query& query,
                  base::Status (Query::*ask)(const Request&, Response*) const) {
  Request request;
  Response response;
  base::Status status = read(http, &request);
  if (status.ok()) status = (query.*ask)(request, &response);
  return Json(status, response);
}

template <typename Request, typename Response>
HttpResponse CallSeries(const HttpRequest& http, base::Status (*read)(const HttpRequest&, Request*), const Query& query,
                        base::Status (Query::*ask)(const Request&, Response*) const) {
  if (!WantsCsv(http)) return Call(http, read, query, ask);
  Request request;
  Response response;
  base::Status status = read(http, &request);
  if (status.ok()) status = (query.*ask)(request, &response);
  if (!status.ok()) return Json(status, response);
  HttpResponse out;
  out.content_type = "text/csv; charset=utf-8";
  out.body = ToCsv(response);
  return out;
}

std::string_view ContentType(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

// A stream of lines: `next` appends what is new since the last call.
HttpResponse Lines(Changes& changes, bool follow, std::function<base::Status(std::string*)> next) {
  struct State {
    uint64_t seen = 0;
    std::chrono::steady_clock::time_point wrote = std::chrono::steady_clock::now();
  };
  HttpResponse out;
  out.content_type = "application/x-ndjson";
  out.headers.emplace("Cache-Control", "no-store");
  out.stream = [&changes, follow, next = std::move(next), state = std::make_shared<State>()](const auto& write) {
    std::string lines;
    if (const base::Status status = next(&lines); !status.ok()) {
      write(ErrorJson(status));
      return false;
    }
    const auto now = std::chrono::steady_clock::now();
    if (lines.empty() && !follow) return false;
    if (lines.empty()) {
      if (changes.closed()) return false;
      state->seen = changes.Wait(state->seen, kStreamWait);
      if (now - state->wrote < kStreamKeepAlive) return true;
      lines = "\n";  // tells a reader that has gone from one that waits
    }
    state->wrote = now;
    return write(lines);
  };
  return out;
}

HttpResponse AnswerStory(const Query& query, const HttpRequest& http) {
  v1::GetStoryRequest request;
  v1::GetStoryResponse response;
  request.set_id(http.captures.empty() ? "" : http.captures[0]);
  return Json(query.GetStory(request, &response), response);
}

HttpResponse AnswerWhere(const Query& query, const HttpRequest& http) {
  v1::WhereIsRequest request;
  v1::WhereIsResponse response;
  request.set_article(http.Query("article"));
  return Json(query.WhereIs(request, &response), response);
}

const std::vector<Endpoint>& Endpoints() {
  static const std::vector<Endpoint> endpoints = {
      {"/api/v1/trends", "/api/v1/trends", "Counts per window of the series asked for", "GetTrendsResponse",
       Join({kSeriesParameters, kSpanParameters,
             {{"include_zeros", "boolean", "List empty windows too"},
              {"model_version", "string", "Series of a model that a re-tag replaced, or is building; absent: the active ones"}}}),
       [](const Query& q, const HttpRequest& r) { return CallSeries(r, ReadTrends, q, &Query::GetTrends); }},
      {"/api/v1/trends/compare", "/api/v1/trends/compare", "Two spans of the same series side by side", "CompareTrendsResponse",
       Join({kSeriesParameters,
             {{"a_from", "string", "First span"}, {"a_to", "string", ""}, {"b_from", "string", "Second span"}, {"b_to", "string", ""}}}),
       [](const Query& q, const HttpRequest& r) { return CallSeries(r, ReadCompare, q, &Query::CompareTrends); }},
      {"/api/v1/coverage", "/api/v1/coverage", "Seen and expected sources per window and publisher group", "GetCoverageResponse",
       Join({kSpanParameters, {{"format", "string", "json (default) or csv"}}}),
       [](const Query& q, const HttpRequest& r) { return CallSeries(r, ReadCoverageRequest, q, &Query::GetCoverage); }},
      {"/api/v1/stories", "/api/v1/stories", "Stories, newest first", "ListStoriesResponse", Join({FilterParameters(), PageParameters()}),
       [](const Query& q, const HttpRequest& r) { return Call(r, ReadStories, q, &Query::ListStories); }},
      {"/api/v1/stories/{id}", "/api/v1/stories/([0-9a-zA-Z]+)", "One story with its articles", "GetStoryResponse", {}, AnswerStory},
      {"/api/v1/articles/watch", "/api/v1/articles/watch", "Tagged articles as they are counted, one JSON object per line",
       "WatchArticlesResponse", Join({FilterParameters(), kStreamParameters}), nullptr, "application/x-ndjson"},
      {"/api/v1/alerts", "/api/v1/alerts", "Alerts, last state of each, newest first", "ListAlertsResponse",
       Join({{{"open_only", "boolean", "Only what is open"}, {"rule", "string", "Name of a rule"}}, PageParameters()}),
       [](const Query& q, const HttpRequest& r) { return Call(r, ReadAlerts, q, &Query::ListAlerts); }},
      {"/api/v1/alerts/watch", "/api/v1/alerts/watch", "Alerts as they open, change and close, one JSON object per line",
       "WatchAlertsResponse", Join({{{"rule", "string", "Name of a rule"}}, kStreamParameters}), nullptr, "application/x-ndjson"},
      {"/api/v1/queries", "/api/v1/queries", "The saved queries of the configuration", "ListQueriesResponse", {},
       [](const Query& q, const HttpRequest&) {
         v1::ListQueriesResponse response;
         const base::Status status = q.ListQueries({}, &response);
         return Json(status, response);
       }},
      {"/api/v1/corrections", "/api/v1/corrections", "What readers corrected, oldest first", "ListCorrectionsResponse",
       Join({{{"article_id", "string", "Of one article only"}}, PageParameters()}),
       [](const Query& q, const HttpRequest& r) { return Call(r, ReadCorrections, q, &Query::ListCorrections); }},
      {"/api/v1/sample", "/api/v1/sample", "A random sample of the articles behind a count, each as likely as any other", "SampleArticlesResponse",
       Join({FilterParameters(),
             {{"size", "integer", "Default 20, at most 200"}, {"seed", "integer", "The same seed gives the same sample of the same articles; absent: a new one"}}}),
       [](const Query& q, const HttpRequest& r) { return Call(r, ReadSample, q, &Query::SampleArticles); }},
      {"/api/v1/where", "/api/v1/where", "One article's path through the pipeline, with drop reasons", "WhereIsResponse",
       {{"article", "string", "An article id or an address"}}, AnswerWhere},
  };
  return endpoints;
}

}  // namespace

namespace {

// For `racewatch digest`: reads all ids and windows, so it is no call for a dashboard.
HttpResponse Digests(const Engine* engine) {
  HttpResponse out;
  const auto view = engine ? engine->Snapshot() : nullptr;
  const auto state = view ? StateDigest(*view) : base::Result<std::string>(base::Unavailable("the store is starting"));
  const auto stories = state.ok() ? StoryDigest(*view) : state;
  out.status = HttpStatusFor(stories.status());
  out.body = stories.ok() ? "{\"digest\":\"" + *state + "\",\"story_digest\":\"" + *stories + "\"}\n" : ErrorJson(stories.status());
  return out;
}

// A consistent copy of everything, while the store goes on. It ends without its last block when reading fails.
HttpResponse Backup(const Engine* engine) {
  HttpResponse out;
  if (engine == nullptr) {
    out.status = HttpStatusFor(base::Unavailable(""));
    out.body = ErrorJson(base::Unavailable("the store is starting"));
    return out;
  }
  out.content_type = "application/octet-stream";
  out.stream = [writer = std::make_shared<BackupWriter>(*engine)](const std::function<bool(std::string_view)>& write) {
    const auto bytes = writer->Next();
    return bytes.ok() && !bytes->empty() && write(*bytes);
  };
  return out;
}

}  // namespace

HttpApi::HttpApi(base::HttpServer& server, Changes& changes, bool page) : changes_(changes) {
  for (const auto* endpoints : {&Endpoints(), &StreamEndpoints()})
    for (const Endpoint& endpoint : *endpoints)
      server.Handle("GET", std::string(endpoint.pattern),
                    [this, &endpoint](const HttpRequest& request) { return Answer(endpoint, request); });
  server.Handle("GET", "/api/v1/openapi\\.json", [](const HttpRequest&) {
    HttpResponse out;
    out.body = OpenApiDocument();
    return out;
  });
  server.Handle("GET", "/api/v1/digest", [this](const HttpRequest&) { return Digests(engine_); });
  server.Handle("GET", "/api/v1/backup", [this](const HttpRequest&) { return Backup(engine_); });
  if (!page) return;
  for (const PageFile& file : PageFiles()) {
    const auto handler = [&file](const HttpRequest&) {
      HttpResponse out;
      out.content_type = ContentType(file.name);
      out.body = file.bytes;
      return out;
    };
    std::string pattern = "/" + std::string(file.name);
    pattern.replace(pattern.rfind('.'), 1, "\\.");
    server.Handle("GET", pattern, handler);
    if (file.name == "index.html") server.Handle("GET", "/", handler);
  }
}

HttpResponse HttpApi::Answer(const Endpoint& endpoint, const HttpRequest& request) {
  HttpResponse out;
  const Query* query = query_;
  base::Status status = query ? CheckParameters(request, endpoint.parameters) : base::Unavailable("the store is starting");
  if (!status.ok()) {
    out.status = HttpStatusFor(status);
    out.body = ErrorJson(status);
    return out;
  }
  if (endpoint.answer) return endpoint.answer(*query, request);
  return endpoint.path == "/api/v1/alerts/watch" ? WatchAlerts(*query, request) : WatchArticles(*query, request);
}

HttpResponse HttpApi::WatchArticles(const Query& query, const HttpRequest& request) {
  v1::ArticleFilter filter;
  base::Status status = ReadFilter(request, &filter);
  const auto compiled = status.ok() ? query.Compile(filter) : base::Result<CompiledFilter>(status);
  if (!compiled.ok()) return Json(compiled.status(), filter);
  const auto start = query.ArticleCursor(request.Query("resume_token"));
  if (!start.ok()) return Json(start.status(), filter);
  const auto follow = ReadBool(request, "follow", true);
  if (!follow.ok()) return Json(follow.status(), filter);
  return Lines(changes_, *follow, [&query, filter = *compiled, cursor = *start](std::string* lines) mutable {
    std::vector<v1::WatchArticlesResponse> found;
    uint64_t before = cursor;
    do {  // a rare match may lie far behind
      before = cursor;
      RW_RETURN_IF_ERROR(query.NextArticles(filter, kStreamChunk, &cursor, &found));
    } while (found.empty() && cursor != before);
    for (const auto& one : found) *lines += ToJson(one) + "\n";
    return base::Status();
  });
}

HttpResponse HttpApi::WatchAlerts(const Query& query, const HttpRequest& request) {
  const auto start = query.AlertCursor(request.Query("resume_token"));
  const v1::WatchAlertsRequest empty;
  if (!start.ok()) return Json(start.status(), empty);
  const auto follow = ReadBool(request, "follow", true);
  if (!follow.ok()) return Json(follow.status(), empty);
  return Lines(changes_, *follow, [&query, rule = request.Query("rule"), cursor = *start](std::string* lines) mutable {
    std::vector<v1::WatchAlertsResponse> found;
    RW_RETURN_IF_ERROR(query.NextAlerts(rule, kStreamChunk, &cursor, &found));
    for (const auto& one : found) *lines += ToJson(one) + "\n";
    return base::Status();
  });
}

namespace {

std::string ParameterJson(std::string_view name, std::string_view where, std::string_view what, std::string_view type) {
  return "{\"name\":\"" + std::string(name) + "\",\"in\":\"" + std::string(where) + "\"," + (where == "path" ? "\"required\":true," : "") +
         "\"description\":\"" + std::string(what) + "\",\"schema\":{\"type\":\"" + std::string(type) + "\"}}";
}

std::string ParametersJson(const Endpoint& endpoint) {
  std::string out;
  const auto add = [&out](const std::string& parameter) { out += (out.empty() ? "" : ",") + parameter; };
  for (size_t open = endpoint.path.find('{'); open != std::string_view::npos; open = endpoint.path.find('{', open + 1)) {
    const auto name = endpoint.path.substr(open + 1, endpoint.path.find('}', open) - open - 1);
    add(ParameterJson(name, "path", name == "format" ? "atom or json" : "", "string"));
  }
  for (const Parameter& p : endpoint.parameters) add(ParameterJson(p.name, "query", p.what, p.type));
  return out;
}

}  // namespace

constexpr std::string_view kPostCorrection =
    R"(,"post":{"summary":"Keeps what a reader says the labels of one article are; counts do not change","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["article","labels","reader"],"properties":{"article":{"type":"string","description":"An article id or an address"},"labels":{"type":"object","properties":{"relevant":{"type":"boolean"},"themes":{"type":"array","items":{"type":"string"}},"stance":{"type":"object","additionalProperties":{"type":"string","enum":["favor","against","neutral"]}},"lean":{"type":"string","enum":["","us","china","neutral"]}}},"reader":{"type":"string"},"note":{"type":"string"}}}}}},"responses":{"200":{"description":"AddCorrectionResponse of store_service.proto as proto3 JSON","content":{"application/json":{"schema":{"type":"object"}}}},"400":{"description":"What is wrong, as {code, message}"},"404":{"description":"No such article is kept, or its text is not"},"429":{"description":"The limit of corrections is reached"},"503":{"description":"The store is starting"}}})";

std::string OpenApiDocument() {
  std::string paths;
  for (const auto* endpoints : {&Endpoints(), &StreamEndpoints()})
    for (const Endpoint& endpoint : *endpoints) {
      const bool message = endpoints == &Endpoints();
      if (!paths.empty()) paths += ",";
      paths += "\"" + std::string(endpoint.path) + "\":{\"get\":{\"summary\":\"" + std::string(endpoint.summary) +
               "\",\"parameters\":[" + ParametersJson(endpoint) + "],\"responses\":{\"200\":{\"description\":\"" +
               std::string(endpoint.response) + (message ? " of store_service.proto as proto3 JSON" : "") + "\",\"content\":{\"" +
               std::string(endpoint.content_type) + "\":{\"schema\":{\"type\":\"" + (message ? "object" : "string") + "\"}}}}," +
               (message ? "" : "\"304\":{\"description\":\"Nothing has changed since the ETag sent as If-None-Match\"},") +
               "\"400\":{\"description\":\"What is wrong, as {code, message}\"}," +
               "\"404\":{\"description\":\"Not known\"},\"503\":{\"description\":\"The store is starting\"}}}";
      if (endpoint.path == "/api/v1/corrections") paths += kPostCorrection;
      paths += "}";
    }
  paths += R"(,"/api/v1/digest":{"get":{"summary":"Digests of the state, to compare stores","responses":{"200":{"description":"{digest, story_digest}"}}}})";
  paths += R"(,"/api/v1/alerts/test":{"post":{"summary":"What a rule would have sent, {rule, from, to}; one alert a line","responses":{"200":{"description":"Alerts as on the topic"},"400":{"description":"What is wrong, as {code, message}"}}}})";
  paths += R"(,"/api/v1/backup":{"get":{"summary":"A consistent copy of the state, as racewatch store backup takes it","responses":{"200":{"description":"Bytes"}}}})";
  paths += R"(,"/api/v1/retag":{"get":{"summary":"Generations of labels, and how far the one being built is","responses":{"200":{"description":"{active, model_version, generations, building}"}}}})";
  paths += R"(,"/api/v1/retag/report":{"get":{"summary":"What the generation being built would change, per series, with examples","parameters":[{"name":"examples","in":"query","description":"In each direction; default 3, at most 100","schema":{"type":"integer"}}],"responses":{"200":{"description":"{generation, compared, changed, series, stance_moves}"},"409":{"description":"None is being built"}}}})";
  for (const char* verb : {"begin", "switch", "cancel"})
    paths += std::string(",\"/api/v1/retag/") + verb + R"(":{"post":{"summary":"As racewatch retag does","responses":{"200":{"description":"As /api/v1/retag"},"409":{"description":"What stands in the way, as {code, message}"}}}})";
  return "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"racewatch store\",\"version\":\"1\"},\"paths\":{" + paths + "}}\n";
}

}  // namespace racewatch::store
