// `racewatch feeds`: what a running ingest knows of its feeds, and what an address holds.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/http_client.h"
#include "cli/commands.h"
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
  bool private_addresses = false;
};

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string Text(const Json& object, const char* field) {
  if (!object.contains(field)) return "-";
  const Json& value = object[field];
  return value.is_string() ? value.get<std::string>() : Dump(value);
}

base::Result<std::string> GetFeeds(const std::string& server) {
  base::HttpClient::Options options;
  options.allow_private_addresses = true;  // the operator's own process
  base::HttpClient client(options);
  base::HttpCall call;
  call.url = "http://" + server + "/api/v1/feeds";
  call.body_bytes_max = 256u << 20;
  call.redirects_max = 0;
  std::optional<base::HttpReply> reply;
  client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
  while (!reply) client.Poll(std::chrono::milliseconds(1000));
  if (!reply->status.ok()) return base::Unavailable("server " + server + ": " + reply->status.message());
  if (reply->http_status != 200)
    return base::Unavailable("server " + server + ": HTTP " + std::to_string(reply->http_status) + " (does it run ingest?)");
  return std::move(reply->body);
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

int Show(const FeedsFlags& flags) {
  const auto feeds = LoadFeeds(flags);
  if (!feeds.ok()) return Fail(ExitCodeFor(feeds.status()), "feeds show: " + feeds.status().message());
  for (const Json& feed : *feeds) {
    if (Text(feed, "id") != flags.id) continue;
    if (flags.output == "json") {
      std::puts(Dump(feed).c_str());
    } else {
      for (const auto& [name, value] : feed.items()) std::printf("%-16s %s\n", name.c_str(), Text(feed, name.c_str()).c_str());
    }
    return kExitOk;
  }
  return Fail(kExitBadData, "feeds show: no feed '" + flags.id + "' on " + flags.server);
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
  if (flags.output == "json") {
    std::puts(Dump(out).c_str());
    return kExitOk;
  }
  for (const auto& [name, value] : out.items()) std::printf("%-20s %s\n", name.c_str(), Text(out, name.c_str()).c_str());
  return kExitOk;
}

}  // namespace

int RunFeeds(int argc, char** argv) {
  CLI::App app("Feeds of a running ingest, and what an address holds.\n"
               "usage: racewatch feeds list|show ID|probe URL [--server HOST:PORT] [--output text|json]",
               "racewatch feeds");
  FeedsFlags flags;
  const auto add = [&](const char* name, const char* what, const char* argument) {
    CLI::App* command = app.add_subcommand(name, what);
    if (argument != nullptr) command->add_option(argument, flags.id)->required();
    command->add_option("--output", flags.output, "text, or json: one object per line")->check(CLI::IsMember({"text", "json"}));
    return command;
  };
  CLI::App* list = add("list", "one line per feed: state, failures, articles, times", nullptr);
  CLI::App* show = add("show", "everything known of one feed", "ID");
  CLI::App* probe = add("probe", "fetch and parse an address once; changes nothing", "URL");
  for (CLI::App* command : {list, show})
    command->add_option("--server", flags.server, "HTTP address of a running `up` or `ingest`; default 127.0.0.1:8470");
  probe->add_flag("--allow-private", flags.private_addresses, "connect to private and loopback addresses too");
  app.require_subcommand(1);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (*list) return List(flags);
  return *show ? Show(flags) : Probe(flags);
}

}  // namespace racewatch::cli
