#include "cli/feeds_import.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/batch.h"
#include "cli/process.h"
#include "cli/store_client.h"
#include "ingest/feed_list.h"
#include "ingest/url.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;
using ingest::FeedSpec;

// A process takes 1 MiB at once; escaped, a byte may become six.
constexpr size_t kBatchBytes = 128u << 10;

struct Outcome {
  size_t added = 0;
  size_t present = 0;
  std::vector<std::pair<std::string, std::string>> refused;  // address, why
};

size_t Bytes(const FeedSpec& feed) { return feed.url.size() + 2 * feed.title.size() + feed.folder.size() + feed.group.size() + feed.language.size() + 64; }

base::Status Post(const std::string& server, const std::vector<FeedSpec>& feeds, Outcome* outcome) {
  RW_ASSIGN_OR_RETURN(const std::string body, TellStore(server, "feeds/import", ingest::WriteOpml(feeds, "racewatch feeds"), "text/x-opml"));
  const Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("added") || !answer.contains("present") || !answer.contains("refused"))
    return base::Unavailable("server " + server + ": no counts in the answer");
  outcome->added += answer["added"].get<size_t>();
  outcome->present += answer["present"].get<size_t>();
  for (const Json& row : answer["refused"]) outcome->refused.emplace_back(Text(row, "url"), Text(row, "error"));
  return {};
}

base::Status IntoServer(const std::vector<FeedSpec>& feeds, const std::string& server, Outcome* outcome) {
  std::vector<FeedSpec> batch;
  size_t bytes = 0;
  for (const FeedSpec& feed : feeds) {
    bytes += Bytes(feed);
    batch.push_back(feed);
    if (bytes < kBatchBytes) continue;
    RW_RETURN_IF_ERROR(Post(server, std::exchange(batch, {}), outcome));
    bytes = 0;
  }
  return batch.empty() ? base::Status() : Post(server, batch, outcome);
}

base::Status IntoList(const std::vector<FeedSpec>& feeds, const std::string& path, Outcome* outcome) {
  std::vector<FeedSpec> good;
  for (const FeedSpec& feed : feeds) {
    if (feed.is_file() || !ingest::UrlHost(feed.url).empty())
      good.push_back(feed);
    else
      outcome->refused.emplace_back(feed.url, "is not an http(s) or file address");
  }
  std::string list;
  std::error_code error;
  if (std::filesystem::exists(path, error)) RW_RETURN_IF_ERROR(ReadFile(path, &list));
  auto merged = ingest::AddToOpml(list, good, &outcome->added);
  if (!merged.ok()) return merged.status().Annotate("feed list " + path);
  outcome->present = good.size() - outcome->added;
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << *merged;
  out.close();
  if (out) std::filesystem::rename(fresh, path, error);
  if (!out || error) return base::NotFound("feed list " + path + ": cannot be written");
  return {};
}

}  // namespace

int ImportFeeds(const std::string& file, const std::string& server, const std::string& into, bool json) {
  const std::string what = "feeds import " + file;
  std::string bytes;
  if (const auto status = ReadFile(file, &bytes); !status.ok()) return Fail(ExitCodeFor(status), what + ": " + status.message());
  const auto feeds = ingest::ParseOpml(bytes);
  if (!feeds.ok()) return Fail(kExitBadData, what + ": no OPML: " + feeds.status().message());
  Outcome outcome;
  const base::Status status = into.empty() ? IntoServer(*feeds, server, &outcome) : IntoList(*feeds, into, &outcome);
  if (!status.ok()) return Fail(ExitCodeFor(status), what + ": " + status.message());
  for (const auto& [url, why] : outcome.refused) (void)Fail(kExitBadData, what + ": " + url + ": " + why);
  const Json counts{{"added", outcome.added}, {"present", outcome.present}, {"refused", outcome.refused.size()}};
  if (json)
    std::puts(counts.dump().c_str());
  else
    std::printf("%zu added, %zu in the list already, %zu refused\n", outcome.added, outcome.present, outcome.refused.size());
  return outcome.refused.empty() ? kExitOk : kExitBadData;
}

}  // namespace racewatch::cli
