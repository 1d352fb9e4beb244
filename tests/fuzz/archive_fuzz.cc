// Any bytes through the readers of archives and the small parsers of ingest. The first byte chooses which. Every reader
// comes to an end, gives each item a place of its own, and never more items than bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ingest/aggregator.h"
#include "ingest/backfill/archive.h"
#include "ingest/backfill/input_stream.h"
#include "ingest/backfill/rows.h"
#include "ingest/backfill/warc.h"
#include "ingest/page/link_selector.h"

namespace {

using namespace racewatch::ingest;  // NOLINT(google-build-using-namespace)

void Check(bool good) {
  if (!good) std::abort();
}

void ReadRows(std::string_view bytes, ArchiveFormat format, bool header) {
  ArchiveOptions options;
  options.header = header;
  if (!header) options.fields = {{"title", "1"}};
  auto rows = OpenRows("f", format, options, InputStream::OfBytes(bytes));
  if (!rows.ok()) return Check(!rows.status().message().empty());
  std::string last;
  for (size_t items = 0;; ++items) {
    ArchiveItem item;
    const auto more = (*rows)->Next(&item);
    if (!more.ok() || !*more) return;
    Check(items <= bytes.size() && item.where != last);
    last = item.where;
  }
}

void ReadWarc(std::string_view bytes) {
  const auto input = InputStream::OfBytes(bytes);
  WarcReader reader(*input);
  for (size_t records = 0;; ++records) {
    WarcRecord record;
    const auto more = reader.Next(&record);
    if (!more.ok() || !*more) return;
    Check(records <= bytes.size() && record.block.size() <= WarcReader::kBodyBytesMax);
    (void)ReadArchivedResponse(record.block);
  }
}

void Select(std::string_view input) {
  const size_t end = input.find('\n');
  if (end == input.npos) return;
  const auto selector = LinkSelector::Parse(input.substr(0, end));
  if (!selector.ok()) return Check(!selector.status().message().empty());
  const auto found = selector->Select(input.substr(end + 1), {.url = "https://fuzz.example/"});
  Check(!found.ok() || found->links.size() <= LinkSelector::kLinksMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const auto choice = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  switch (choice % 8) {
    case 0: ReadRows(input, ArchiveFormat::kJsonl, true); break;
    case 1: ReadRows(input, ArchiveFormat::kCsv, true); break;
    case 2: ReadRows(input, ArchiveFormat::kCsv, false); break;
    case 3: ReadRows(input, ArchiveFormat::kTsv, true); break;
    case 4: ReadRows(input, ArchiveFormat::kGkg, true); break;
    case 5: ReadWarc(input); break;
    case 6: Select(input); break;
    default: (void)UnwrapUrl(input); break;
  }
  return 0;
}
