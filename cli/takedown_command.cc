// `racewatch takedown`: removes the text of one article everywhere: a store replaces it in its tables and in the tagged
// topics, an ingest sends no further version of it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "base/http_client.h"
#include "base/percent_encoding.h"
#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"
#include "ingest/url.h"

namespace racewatch::cli {
namespace {

struct Outcome {
  bool store = false;
  bool ingest = false;
  base::Status failure;
};

// 200 sets `*done`. A process need not run both roles, nor hold the article: 404 is no failure.
void Tell(const std::string& server, const std::string& path_and_address, bool* done, Outcome* outcome) {
  base::HttpClient::Options options;
  options.allow_private_addresses = true;  // the operator's own process
  base::HttpClient client(options);
  base::HttpCall call;
  call.method = "POST";
  call.url = "http://" + server + "/api/v1/" + path_and_address;
  call.redirects_max = 0;
  std::optional<base::HttpReply> reply;
  client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
  while (!reply) client.Poll(std::chrono::milliseconds(1000));
  if (!reply->status.ok()) {
    outcome->failure = base::Unavailable("server " + server + ": " + reply->status.message());
  } else if (reply->http_status == 200) {
    *done = true;
    std::printf("%s %s", server.c_str(), reply->body.c_str());
    if (!reply->body.ends_with('\n')) std::puts("");
  } else if (reply->http_status == 400) {
    outcome->failure = base::InvalidArgument("server " + server + ": " + reply->body.substr(0, 200));
  } else if (reply->http_status != 404) {
    outcome->failure = base::Unavailable("server " + server + ": HTTP " + std::to_string(reply->http_status));
  }
}

}  // namespace

int RunTakedown(int argc, char** argv) {
  CLI::App app("Removes the text and title of one article everywhere; counts and labels stay. Name every process that runs a store or an\n"
               "ingest.\nusage: racewatch takedown URL [--server HOST:PORT]...",
               "racewatch takedown");
  std::string url;
  std::vector<std::string> servers;
  app.add_option("URL", url, "address of the article")->required();
  app.add_option("--server", servers, "HTTP address of a running `up`, `store` or `ingest`, repeatable; default 127.0.0.1:8470")->allow_extra_args(false);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (servers.empty()) servers.emplace_back(kDefaultStoreServer);
  Outcome outcome;
  const auto canonical = ingest::Canonicalize(url);
  for (const std::string& server : servers) {
    Tell(server, "takedown/seen?url=" + base::PercentEncode(url), &outcome.ingest, &outcome);
    Tell(server, "takedown?article=" + base::PercentEncode(url), &outcome.store, &outcome);
    if (!outcome.store && canonical) Tell(server, "takedown?article=" + base::PercentEncode(canonical->url), &outcome.store, &outcome);
  }
  if (!outcome.failure.ok()) return Fail(ExitCodeFor(outcome.failure), "takedown: " + outcome.failure.message());
  if (!outcome.store && !outcome.ingest) return Fail(kExitBadData, "takedown: no article at " + url + " is known, and no ingest was told");
  return kExitOk;
}

}  // namespace racewatch::cli
