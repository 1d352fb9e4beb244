// `racewatch parse`: one feed, or a batch of them, to JSON.
#include <CLI/CLI.hpp>

#include "cli/batch.h"
#include "cli/commands.h"
#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"

namespace racewatch::cli {

constexpr size_t kLargeBytes = size_t{1} << 20;

int RunParse(int argc, char** argv) {
  CLI::App app(
      "Reads a feed (RSS, RDF, Atom, JSON Feed, CDF) and prints it as one JSON line.\n"
      "usage: racewatch parse [--content-type T] [--base URL] FILE\n"
      "       racewatch parse --batch [--content-type T] [--base URL]   (file paths on standard "
      "input)",
      "racewatch parse");
  std::string file;
  bool batch = false;
  ingest::ParseOptions options;
  app.add_option("FILE", file, "feed to read");
  app.add_flag("--batch", batch,
               "read file paths from standard input, print one JSON line for each");
  app.add_option("--content-type", options.content_type, "HTTP Content-Type the feed came with");
  app.add_option("--base", options.base_url, "address of the feed, for its relative links");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("parse: ") + error.what());
  }
  if (batch != file.empty())
    return Fail(kExitUsage, "parse: give one FILE, or --batch (see racewatch parse --help)");

  const auto convert = [&options](std::string_view bytes, std::string_view name, std::string* out) {
    auto feed = ingest::ParseFeed(bytes, options);
    if (!feed.ok()) return feed.status();
    if (bytes.size() > kLargeBytes)
      out->reserve(out->size() + bytes.size() + bytes.size() / 16);  // spares doubling
    ingest::AppendFeedJson(*feed, name, out);
    return base::Status::Ok();
  };
  if (batch) return RunBatch(convert);

  std::string bytes, out;
  base::Status status = ReadFile(file, &bytes);
  if (!status.ok()) return Fail(kExitIo, status.message());
  status = convert(bytes, {}, &out);
  if (!status.ok()) return Fail(ExitCodeFor(status), "parse " + file + ": " + status.message());
  out += '\n';
  return WriteOut(out) ? kExitOk : Fail(kExitIo, "standard output: write failed");
}

}  // namespace racewatch::cli
