// `racewatch extract`: one HTML page, or a batch of them, to the article as JSON.
#include <CLI/CLI.hpp>

#include "cli/batch.h"
#include "cli/commands.h"
#include "ingest/page/page_extractor.h"
#include "ingest/page/page_json.h"

namespace racewatch::cli {
namespace {

// Why a page has no article text; a consent wall or paywall is an answer, not an error.
base::Status WithoutText(const ingest::Page& page) {
  if (page.consent_wall || page.paywalled) return base::Status::Ok();
  if (page.captcha) return base::InvalidArgument("page: no article text: a robot check stands in its place");
  if (page.empty_shell) return base::InvalidArgument("page: no article text: an empty shell that a script would fill");
  return base::InvalidArgument("page: no article text");
}

}  // namespace

int RunExtract(int argc, char** argv) {
  CLI::App app("Reads an HTML page and prints its article as one JSON line.\n"
               "usage: racewatch extract [--url URL] [--content-type T] FILE\n"
               "       racewatch extract --batch [--url URL] [--content-type T]   (file paths on standard input)",
               "racewatch extract");
  FileFlags flags;
  std::string url;
  AddFileFlags(app, "page", &flags);
  app.add_option("--url,--base", url, "address of the page: for its relative links, and a date in its path");
  return RunOnFiles(app, argc, argv, flags, [&](std::string* bytes, std::string_view name, std::string* out) {
    const auto page = ingest::ExtractPage(*bytes, {.url = url, .content_type = flags.content_type});
    if (!page.ok()) return page.status();
    if (page->text.empty()) RW_RETURN_IF_ERROR(WithoutText(*page));
    ingest::AppendPageJson(*page, name, out);
    return base::Status::Ok();
  });
}

}  // namespace racewatch::cli
