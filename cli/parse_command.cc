// `racewatch parse`: one feed, or a batch of them, to JSON.
#include <CLI/CLI.hpp>

#include "cli/batch.h"
#include "cli/commands.h"
#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"

namespace racewatch::cli {

constexpr size_t kLargeBytes = size_t{1} << 20;

int RunParse(int argc, char** argv) {
  CLI::App app("Reads a feed (RSS, RDF, Atom, JSON Feed, CDF, sitemap, NewsML-G2, ninjs) and prints it as one JSON line.\n"
               "usage: racewatch parse [--content-type T] [--base URL] FILE\n"
               "       racewatch parse --batch [--content-type T] [--base URL]   (file paths on standard input)",
               "racewatch parse");
  FileFlags flags;
  std::string base_url;
  AddFileFlags(app, "feed", &flags);
  app.add_option("--base", base_url, "address of the feed, for its relative links");
  return RunOnFiles(app, argc, argv, flags, [&](std::string* bytes, std::string_view name, std::string* out) {
    ingest::ParseOptions options;
    options.content_type = flags.content_type;
    options.base_url = base_url;
    const auto feed = ingest::ParseFeed(*bytes, options);
    if (!feed.ok()) return feed.status();
    if (bytes->size() > kLargeBytes) {
      out->reserve(out->size() + bytes->size() + bytes->size() / 16);  // spares doubling
      std::string().swap(*bytes);                                      // the feed has all of it
    }
    ingest::AppendFeedJson(*feed, name, out);
    return base::Status::Ok();
  });
}

}  // namespace racewatch::cli
