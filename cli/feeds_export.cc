#include "cli/feeds_export.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/batch.h"
#include "cli/process.h"
#include "cli/store_client.h"
#include "ingest/feed_list.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Member(const Json& object, const char* name) {
  return object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : std::string();
}

base::Result<std::vector<ingest::FeedSpec>> FromServer(const std::string& server) {
  RW_ASSIGN_OR_RETURN(const std::string body, AskStore(server, "feeds", {}));
  const Json page = Json::parse(body, nullptr, false);
  if (!page.is_object() || !page.contains("feeds")) return base::Unavailable("server " + server + ": no list of feeds in the answer");
  std::vector<ingest::FeedSpec> feeds;
  for (const Json& row : page["feeds"]) {
    ingest::FeedSpec feed;
    feed.id = feed.url = Member(row, "id");
    feed.title = Member(row, "title");
    feed.folder = Member(row, "folder");
    feed.group = Member(row, "publisher_group");
    feed.language = Member(row, "language");
    if (!feed.url.empty() && Member(row, "found_in").empty()) feeds.push_back(std::move(feed));
  }
  return feeds;
}

}  // namespace

int ExportFeeds(const std::string& server, const std::string& config_file) {
  v1::IngestConfig config;
  RoleFlags flags;
  flags.config = config_file;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  const auto feeds = config_file.empty() ? FromServer(server) : ingest::ReadFeedList(config);
  if (!feeds.ok()) return Fail(ExitCodeFor(feeds.status()), "feeds export: " + feeds.status().message());
  return WriteOut(ingest::WriteOpml(*feeds, "racewatch feeds")) ? kExitOk : Fail(kExitIo, "standard output: write failed");
}

}  // namespace racewatch::cli
