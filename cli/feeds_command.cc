// `racewatch feeds`: what a running ingest knows of its feeds, and what an address holds.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/percent_encoding.h"
#include "cli/commands.h"
#include "cli/feeds_export.h"
#include "cli/feeds_import.h"
#include "cli/process.h"
#include "ingest/dates.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/fetcher.h"
#include "ingest/url.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

struct FeedsFlags {
  std::string server = "127.0.0.1:8470";
  std::string output = "text";
  std::string id;
  std::string title;
  std::string group;
  std::string language;
  std::string folder;
  uint32_t interval_s = 0;
  bool private_addresses = false;
};

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string Text(const Json& object, const char* field) {
  if (!object.contains(field)) return "-";
  const Json& value = object[field];
  return value.is_string() ? value.get<std::string>() : Dump(value);
}

struct ServerReply {
  int status = 0;
  std::string body;
};

base::Result<ServerReply> Ask(const std::string& server, const std::string& method, const std::string& query, std::string body) {
  base::HttpClient::Options options;
  options.allow_private_addresses = true;  // the operator's own process
  base::HttpClient client(options);
  base::HttpCall call;
  call.method = method;
  call.url = "http://" + server + "/api/v1/feeds" + query;
  call.body = std::move(body);
  if (method == "POST") call.headers = {{"Content-Type", "application/json"}};
  call.body_bytes_max = 256u << 20;
  call.redirects_max = 0;
  std::optional<base::HttpReply> reply;
  client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
  while (!reply) client.Poll(std::chrono::milliseconds(1000));
  if (!reply->status.ok()) return base::Unavailable("server " + server + ": " + reply->status.message());
  return ServerReply{reply->http_status, std::move(reply->body)};
}

base::Result<std::string> GetFeeds(const std::string& server, const std::string& query = "") {
  RW_ASSIGN_OR_RETURN(ServerReply reply, Ask(server, "GET", query, ""));
  if (reply.status == 404 && !query.empty() && Json::parse(reply.body, nullptr, false).is_object()) return std::string();
  if (reply.status != 200)
    return base::Unavailable("server " + server + ": HTTP " + std::to_string(reply.status) + " (does it run ingest?)");
  return std::move(reply.body);
}

base::Result<Json> LoadFeeds(const FeedsFlags& flags) {
  RW_ASSIGN_OR_RETURN(const std::string body, GetFeeds(flags.server));
  Json page = Json::parse(body, nullptr, false);
  if (page.is_discarded() || !page.contains("feeds")) return base::Unavailable("server " + flags.server + ": no list of feeds in the answer");
  return std::move(page["feeds"]);
}

int List(const FeedsFlags& flags) {
  const auto feeds = LoadFeeds(flags);
  if (!feeds.ok()) return Fail(ExitCodeFor(feeds.status()), "feeds list: " + feeds.status().message());
  if (flags.output != "json")
    std::printf("%-8s %6s %8s %-20s %-20s %s\n", "STATE", "FAILED", "ARTICLES", "LAST NEW", "NEXT FETCH", "FEED");
  for (const Json& feed : *feeds) {
    if (flags.output == "json") {
      std::puts(Dump(feed).c_str());
      continue;
    }
    const std::string reason = feed.contains("reason") ? "  (" + Text(feed, "reason") + ")" : "";
    std::printf("%-8s %6s %8s %-20s %-20s %s%s\n", Text(feed, "state").c_str(), Text(feed, "failures").c_str(),
                Text(feed, "articles").c_str(), Text(feed, "last_new").c_str(), Text(feed, "next_fetch").c_str(),
                Text(feed, "id").c_str(), reason.c_str());
  }
  return kExitOk;
}

void Print(const FeedsFlags& flags, const Json& object) {
  if (flags.output == "json") {
    std::puts(Dump(object).c_str());
    return;
  }
  for (const auto& [name, value] : object.items()) std::printf("%-20s %s\n", name.c_str(), Text(object, name.c_str()).c_str());
}

int Show(const FeedsFlags& flags) {
  const auto body = GetFeeds(flags.server, "?id=" + base::PercentEncode(flags.id));
  if (!body.ok()) return Fail(ExitCodeFor(body.status()), "feeds show: " + body.status().message());
  const Json feed = Json::parse(*body, nullptr, false);
  if (!feed.is_object()) return Fail(kExitBadData, "feeds show: no feed '" + flags.id + "' on " + flags.server);
  Print(flags, feed);
  return kExitOk;
}

// Adds a feed to the running process, or takes one out; durable when it says so.
int Change(const FeedsFlags& flags, bool add) {
  const std::string what = std::string("feeds ") + (add ? "add " : "remove ") + flags.id;
  Json request{{"url", flags.id}};
  if (!flags.title.empty()) request["title"] = flags.title;
  if (!flags.group.empty()) request["publisher_group"] = flags.group;
  if (!flags.language.empty()) request["language"] = flags.language;
  if (!flags.folder.empty()) request["folder"] = flags.folder;
  if (flags.interval_s > 0) request["interval_s"] = flags.interval_s;
  const auto reply = add ? Ask(flags.server, "POST", "", Dump(request)) : Ask(flags.server, "DELETE", "?id=" + base::PercentEncode(flags.id), "");
  if (!reply.ok()) return Fail(ExitCodeFor(reply.status()), what + ": " + reply.status().message());
  const Json answer = Json::parse(reply->body, nullptr, false);
  if (reply->status == 200 && answer.is_object()) {
    Print(flags, answer);
    return kExitOk;
  }
  const bool explained = answer.is_object() && answer.contains("error");
  const std::string why = explained ? Text(answer, "error") : "HTTP " + std::to_string(reply->status) + " (does it run ingest?)";
  const bool refused = explained && reply->status >= 400 && reply->status < 500;
  return Fail(refused ? kExitBadData : kExitUnavailable, what + ": " + why);
}

// The document behind an http(s) or file address, with what the server said.
base::Result<base::HttpReply> Fetch(const FeedsFlags& flags, Json* out) {
  if (const auto path = ingest::FilePath(flags.id)) {
    std::ifstream in(*path, std::ios::binary);
    if (!in) return base::NotFound("file " + *path + ": cannot be read");
    base::HttpReply reply;
    reply.body.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    return reply;
  }
  const base::SystemClock clock;
  base::HttpClient::Options options;
  options.allow_private_addresses = flags.private_addresses;
  base::HttpClient client(options);
  ingest::Fetcher fetcher(client, clock, {});
  std::optional<ingest::FetchResult> result;
  fetcher.FetchFeed(flags.id, {}, false, [&](ingest::FetchResult r) { result = std::move(r); });
  while (!result) client.Poll(std::chrono::milliseconds(1000));
  const base::HttpReply& reply = result->reply;
  if (!reply.status.ok()) return reply.status;
  (*out)["http_status"] = reply.http_status;
  (*out)["http_version"] = reply.http_version == 20 ? "2" : reply.http_version == 10 ? "1.0" : "1.1";
  if (reply.url != flags.id) (*out)["final_url"] = reply.url;
  for (const base::HttpHop& hop : reply.hops) (*out)["redirects"].push_back({{"url", hop.url}, {"status", hop.status}});
  for (const char* name : {"content-type", "etag", "last-modified", "cache-control"})
    if (const std::string* value = reply.Header(name)) (*out)[name] = *value;
  if (result->kind != ingest::FetchKind::kDocument)
    return base::Unavailable(result->detail.empty() ? "HTTP " + std::to_string(reply.http_status) : result->detail);
  return std::move(result->reply);
}

void AddFeed(const ingest::Feed& feed, Json* out) {
  (*out)["format"] = ingest::FeedFormatName(feed.format);
  (*out)["title"] = feed.title;
  (*out)["link"] = feed.link;
  if (!feed.language.empty()) (*out)["language"] = feed.language;
  (*out)["encoding"] = feed.encoding;
  if (feed.damaged) (*out)["damaged"] = true;
  if (feed.truncated) (*out)["truncated"] = true;
  if (feed.ttl_s) (*out)["ttl_s"] = *feed.ttl_s;
  for (const std::string& hub : feed.hubs) (*out)["hubs"].push_back(hub);
  (*out)["entries"] = feed.entries.size();
  size_t with_content = 0;
  base::UnixMs newest = 0;
  for (const ingest::FeedEntry& entry : feed.entries) {
    with_content += !entry.content.empty();
    if (entry.published) newest = std::max(newest, entry.published->unix_ms);
  }
  (*out)["entries_with_content"] = with_content;
  if (newest > 0) (*out)["newest"] = ingest::Rfc3339(newest);
  for (size_t i = 0; i < std::min<size_t>(feed.entries.size(), 3); ++i) (*out)["first_titles"].push_back(feed.entries[i].title);
}

int Probe(const FeedsFlags& flags) {
  Json out;
  out["url"] = flags.id;
  const auto reply = Fetch(flags, &out);
  if (!reply.ok()) return Fail(ExitCodeFor(reply.status()), "feeds probe " + flags.id + ": " + reply.status().message());
  ingest::ParseOptions options;
  if (const std::string* type = reply->Header("content-type")) options.content_type = *type;
  options.base_url = reply->url;
  out["bytes"] = reply->body.size();
  const auto feed = ingest::ParseFeed(reply->body, options);
  if (!feed.ok()) return Fail(kExitBadData, "feeds probe " + flags.id + ": " + feed.status().message());
  AddFeed(*feed, &out);
  Print(flags, out);
  return kExitOk;
}

}  // namespace

int RunFeeds(int argc, char** argv) {
  CLI::App app("Feeds of a running ingest, and what an address holds.\n"
               "usage: racewatch feeds list|show ID|add URL|remove ID|probe URL|import FILE|export [--server HOST:PORT] [--output text|json]",
               "racewatch feeds");
  FeedsFlags flags;
  const auto make = [&](const char* name, const char* what, const char* argument) {
    CLI::App* command = app.add_subcommand(name, what);
    if (argument != nullptr) command->add_option(argument, flags.id)->required();
    command->add_option("--output", flags.output, "text, or json: one object per line")->check(CLI::IsMember({"text", "json"}));
    return command;
  };
  CLI::App* list = make("list", "one line per feed: state, failures, articles, times", nullptr);
  CLI::App* show = make("show", "everything known of one feed", "ID");
  CLI::App* add = make("add", "add a feed to the running process; kept over restarts", "URL");
  CLI::App* remove = make("remove", "take a feed out; kept over restarts, also when a feed list names it", "ID");
  CLI::App* probe = make("probe", "fetch and parse an address once; changes nothing", "URL");
  for (CLI::App* command : {list, show, add, remove})
    command->add_option("--server", flags.server, "HTTP address of a running `up` or `ingest`; default 127.0.0.1:8470");
  add->add_option("--title", flags.title, "shown in place of the address");
  add->add_option("--group", flags.group, "publisher group: us, china, europe or other");
  add->add_option("--language", flags.language, "used when the feed does not say");
  add->add_option("--folder", flags.folder, "OPML folder, joined by /");
  add->add_option("--interval", flags.interval_s, "seconds between fetches in place of the adaptive interval");
  std::string into;
  CLI::App* import = make("import", "take over the feeds of an OPML file; those in the list already stay as they are", "FILE");
  auto* server = import->add_option("--server", flags.server, "HTTP address of a running `up` or `ingest`; default 127.0.0.1:8470");
  import->add_option("--into", into, "an OPML list (ingest.opml names it) to add them to, in place of a running process")->excludes(server);
  std::string config;
  CLI::App* export_command = app.add_subcommand("export", "the feed list as OPML");
  export_command->add_option("--server", flags.server, "HTTP address of a running `up` or `ingest`; default 127.0.0.1:8470");
  export_command->add_option("--config", config, "an ingest configuration, in place of a running process");
  probe->add_flag("--allow-private", flags.private_addresses, "connect to private and loopback addresses too");
  app.require_subcommand(1);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (*list) return List(flags);
  if (*export_command) return ExportFeeds(flags.server, config);
  if (*import) return ImportFeeds(flags.id, flags.server, into, flags.output == "json");
  if (*show) return Show(flags);
  if (*add || *remove) return Change(flags, static_cast<bool>(*add));
  return Probe(flags);
}

}  // namespace racewatch::cli
