// Any bytes through the feed parser. The first byte chooses content type and base, so that every
// branch of the charset decision and link resolving is reached. What comes out must be clean UTF-8
// and a line of JSON.
#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/feed/html_text.h"

namespace {

void Check(bool good) {
  if (!good) std::abort();
}

void Run(std::string_view input) {
  using racewatch::ingest::ParseOptions;
  static constexpr const char* kTypes[] = {"",
                                           "text/xml; charset=gbk",
                                           "text/xml; charset=utf-16",
                                           "application/json",
                                           "text/xml; charset=windows-1252",
                                           "text/xml; charset=iso-2022-jp"};
  ParseOptions options;
  if (!input.empty()) {
    const unsigned choice = static_cast<unsigned char>(input[0]);
    options.content_type = kTypes[choice % 6];
    if (choice & 0x80) options.base_url = "https://fuzz.example/a/b?c";
    input.remove_prefix(1);
  }
  const auto feed = racewatch::ingest::ParseFeed(input, options);
  if (!feed.ok()) return Check(!feed.status().message().empty());
  std::string json;
  racewatch::ingest::AppendFeedJson(*feed, "f", &json);
  Check(simdjson::validate_utf8(json));
  Check(json.find('\n') == std::string::npos);
  simdjson::dom::parser parser;
  Check(parser.parse(json).error() == simdjson::SUCCESS);
  for (const auto& entry : feed->entries) {
    racewatch::ingest::HtmlToText(entry.content);
    racewatch::ingest::HtmlToText(entry.summary);
    for (const char* script : {"<script>", "<script ", "<script/"})
      Check(entry.content.find(script) == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
