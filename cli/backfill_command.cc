// `racewatch backfill`: archives of articles into the history, by way of a running process or of Kafka.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/backfill_run.h"
#include "cli/backfill_target.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/process.h"
#include "ingest/fetcher.h"

namespace racewatch::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct BackfillFlags {
  std::vector<std::string> sources;
  std::string server;
  std::string config;
  std::string state = "racewatch-backfill.json";
  std::string format = "auto";
  std::vector<std::string> map;
  bool no_header = false;
  double rate = 0;
};

// A bar on a terminal, a line now and then elsewhere; both on stderr.
class ProgressPrinter {
 public:
  ~ProgressPrinter() {
    if (bar_shown_) std::fputc('\n', stderr);
  }

  void Show(const BackfillProgress& progress) {
    const auto now = Clock::now();
    if (now < next_) return;
    next_ = now + (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(5000));
    const double seconds = std::max(std::chrono::duration<double>(now - started_).count(), 0.001);
    const int percent = static_cast<int>(std::min(progress.share, 1.0) * 100);
    const auto rate = static_cast<unsigned long>(static_cast<double>(progress.articles) / seconds);
    const auto articles = static_cast<unsigned long>(progress.articles);
    if (!terminal_) {
      std::fprintf(stderr, "backfill %d %% %lu articles %lu/s %s\n", percent, articles, rate, progress.file.c_str());
      return;
    }
    constexpr int kWidth = 30;
    const std::string bar = std::string(static_cast<size_t>(percent * kWidth / 100), '#');
    std::fprintf(stderr, "\r\x1b[K[%-*s] %3d %% %lu articles %lu/s %.60s", kWidth, bar.c_str(), percent, articles, rate, progress.file.c_str());
    std::fflush(stderr);
    bar_shown_ = true;
  }

  void Problem(const std::string& line) {
    constexpr int kLinesMax = 20;  // the rest lies in the dead letters
    if (++problems_ > kLinesMax) return;
    if (std::exchange(bar_shown_, false)) std::fputs("\r\x1b[K", stderr);
    std::fprintf(stderr, "racewatch: backfill: %s\n", line.c_str());
    if (problems_ == kLinesMax) std::fputs("racewatch: backfill: further ones are counted only\n", stderr);
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point next_{};
  bool bar_shown_ = false;
  int problems_ = 0;
};

// A feed that an OPML list names.
base::Result<std::string> FetchFeed(const v1::IngestConfig& config, const std::string& url) {
  const base::SystemClock clock;
  base::HttpClient::Options options;
  options.user_agent = config.user_agent().empty() ? "racewatch" : config.user_agent();
  options.allow_private_addresses = config.allow_private_addresses();
  base::HttpClient client(options);
  ingest::Fetcher fetcher(client, clock, {});
  std::optional<ingest::FetchResult> result;
  fetcher.FetchFeed(url, {}, false, [&](ingest::FetchResult r) { result = std::move(r); });
  while (!result) client.Poll(std::chrono::milliseconds(1000));
  if (result->kind != ingest::FetchKind::kDocument) return base::Unavailable(url + ": " + result->detail);
  return std::move(result->reply.body);
}

// 64 for a field map that is none.
base::Status ReadMap(const std::vector<std::string>& map, ingest::ArchiveOptions* options) {
  for (const std::string& pair : map) {
    const size_t equals = pair.find('=');
    const std::string field = pair.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == pair.size() || !ingest::IsArchiveField(field))
      return base::InvalidArgument("--map " + pair + ": FIELD=COLUMN is needed, FIELD being id, title, text, summary, url, published, "
                                                     "updated, author, language or categories");
    options->fields[field] = pair.substr(equals + 1);
  }
  return {};
}

int Finish(const base::Status& status, const BackfillCounts& counts) {
  nlohmann::ordered_json line{{"read", counts.read},
                              {"sent", counts.sent},
                              {"dropped", counts.dropped},
                              {"dead_lettered", counts.dead_lettered},
                              {"resumed", counts.resumed},
                              {"unreadable", counts.unreadable}};
  std::puts(line.dump().c_str());
  if (!status.ok()) return Fail(ExitCodeFor(status), "backfill: " + status.message());
  return counts.unreadable > 0 ? kExitBadData : kExitOk;
}

int Run(const BackfillFlags& flags, const v1::IngestConfig& config, BackfillOptions options, BackfillTarget& target) {
  ingest::PublisherRegistry publishers;
  if (!config.publishers_file().empty())
    if (const auto status = publishers.LoadOverride(config.publishers_file()); !status.ok()) return Fail(ExitCodeFor(status), status.message());
  BackfillPositions positions(flags.state);
  if (const auto status = positions.Load(); !status.ok()) return Fail(kExitBadData, "backfill: " + status.message());
  ProgressPrinter printer;
  options.on_progress = [&printer](const BackfillProgress& progress) { printer.Show(progress); };
  options.on_problem = [&printer](const std::string& line) { printer.Problem(line); };
  options.archive.fetch = [&config](const std::string& url) { return FetchFeed(config, url); };
  const base::SystemClock clock;
  BackfillCounts counts;
  const base::Status status = RunBackfill(flags.sources, options, publishers, clock, positions, target, &counts);
  return Finish(status, counts);
}

}  // namespace

int RunBackfillCommand(int argc, char** argv) {
  CLI::App app("Reads archives of articles into the history: JSONL, CSV, TSV, WARC, GDELT GKG 2.1 and GAL, feeds, OPML lists of feeds, each\n"
               "also gzipped, and folders of them. Backfilled articles never raise alerts. Run it again to go on after a break.\n"
               "usage: racewatch backfill (--server HOST:PORT | --config F) SOURCE...",
               "racewatch backfill");
  BackfillFlags flags;
  app.add_option("SOURCE", flags.sources, "files and folders")->required();
  app.add_option("--server", flags.server, "a running `up` or `ingest`, which delivers; default 127.0.0.1:8470 without --config");
  app.add_option("--config", flags.config, "configuration of an ingest role: its brokers, publishers file, user agent");
  app.add_option("--state", flags.state, "file that remembers how far each source is delivered; default racewatch-backfill.json");
  app.add_option("--format", flags.format, "jsonl, csv, tsv, warc, gkg, gal, feed or opml; default: by the file's name")
      ->check([](const std::string& name) { return ingest::ArchiveFormatByName(name) ? std::string() : "no format '" + name + "'"; });
  app.add_option("--map", flags.map, "FIELD=COLUMN, repeatable: title=Headline, or title=3 for the third column")->allow_extra_args(false);
  app.add_flag("--no-header", flags.no_header, "CSV and TSV: the first line is an article; columns by number");
  app.add_option("--rate", flags.rate, "articles a second at most; default: as fast as they are taken")->check(CLI::PositiveNumber);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (!flags.server.empty() && !flags.config.empty()) return Fail(kExitUsage, "backfill: give --server or --config, not both");

  BackfillOptions options;
  options.rate_per_s = flags.rate;
  options.archive.format = *ingest::ArchiveFormatByName(flags.format);
  options.archive.header = !flags.no_header;
  if (const auto status = ReadMap(flags.map, &options.archive); !status.ok()) return Fail(kExitUsage, "backfill: " + status.message());
  v1::IngestConfig config;
  if (flags.config.empty()) {
    ServerTarget target(flags.server.empty() ? "127.0.0.1:8470" : flags.server);
    return Run(flags, config, std::move(options), target);
  }
  if (const int code = LoadConfigFlag({.config = flags.config}, &config); code >= 0) return code;
  base::Problems problems;
  CheckKafkaBus(config.bus(), &problems);
  if (!problems.empty()) return Fail(kExitConfig, problems.ToStatus(flags.config).message());
  base::Log log({.json = false, .level = base::LogLevel::kError, .role = "backfill"});
  const base::SystemClock clock;
  auto bus = Bus::Open(config.bus(), "backfill", "", clock, log);
  if (!bus.ok()) return Fail(kExitConfig, bus.status().message());
  auto sink = (*bus)->MakeSink();
  if (!sink.ok()) return Fail(kExitConfig, sink.status().message());
  SinkTarget target(**sink);
  const int code = Run(flags, config, std::move(options), target);
  (void)(*sink)->Close(std::chrono::milliseconds(1000));
  return code;
}

}  // namespace racewatch::cli
