// Any bytes through page extraction. The first byte chooses content type and address, so that every branch of the
// charset decision and link resolving is reached. What comes out must be clean UTF-8 and one line of JSON.
#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ingest/page/page_extractor.h"
#include "ingest/page/page_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr const char* kTypes[] = {"", "text/html; charset=gbk", "text/html; charset=big5", "text/html; charset=utf-8",
                                           "text/html; charset=windows-1252", "text/html; charset=iso-2022-jp"};
  std::string_view input(reinterpret_cast<const char*>(data), size);
  racewatch::ingest::ExtractOptions options;
  if (!input.empty()) {
    const auto choice = static_cast<unsigned char>(input[0]);
    options.content_type = kTypes[choice % 6];
    if (choice & 0x80) options.url = "https://fuzz.example/2026/03/14/a?b#c";
    input.remove_prefix(1);
  }
  const auto page = racewatch::ingest::ExtractPage(input, options);
  if (!page.ok()) return 0;
  std::string line;
  racewatch::ingest::AppendPageJson(*page, "fuzz.html", &line);
  simdjson::dom::parser parser;
  if (!simdjson::validate_utf8(line.data(), line.size()) || line.find('\n') != line.npos || parser.parse(line).error()) std::abort();
  return 0;
}
