// An archive of articles as a sequence of items: JSONL, CSV and TSV with a field map, WARC, GDELT's GKG 2.1 and GAL
// files, feed documents, OPML lists of them and folders of all these, each packed or not. What is no article comes out
// as a reject or a drop with a reason, in its place: items are numbered from 1 and every number comes once, so a
// position in an archive is a number. Reading is sequential and bounded in memory. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "ingest/feed/feed.h"
#include "ingest/page/page.h"

namespace racewatch::ingest {

struct ArchiveItem {
  std::string where;  // FILE:NUMBER, the number being a line or a record
  FeedEntry entry;
  std::string feed_language;
  std::optional<Page> page;                 // of a WARC record
  std::optional<base::UnixMs> archived_ms;  // when the archive fetched it
  // Not an article after all. A reject's original goes to the dead letters; a drop is only counted.
  std::string reject_reason, detail, original;
  std::string drop_reason;
};

enum class ArchiveFormat { kAuto, kJsonl, kCsv, kTsv, kWarc, kGkg, kGal, kFeed, kOpml };
std::optional<ArchiveFormat> ArchiveFormatByName(std::string_view name);  // "jsonl", "csv", …

struct ArchiveOptions {
  ArchiveFormat format = ArchiveFormat::kAuto;  // else by the file's name
  // Of JSONL, CSV, TSV: our field → theirs (a name, or a column number from 1). Fields: id, title, text, summary, url,
  // published, updated, author, language, categories. Default: the usual names.
  std::map<std::string, std::string> fields;
  bool header = true;  // CSV and TSV: the first line names the columns
  // Gets a feed that an OPML list names by http(s). Null: such feeds are rejects.
  std::function<base::Result<std::string>(const std::string& url)> fetch;
};

class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  // False at the end. DATA_LOSS: the archive ends in the middle of something or is damaged from here on; what came before
  // it has been handed out.
  virtual base::Result<bool> Next(ArchiveItem* item) = 0;
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes_total() const = 0;
};

// The files that `source` stands for: itself, or the regular files below a folder in order of their names (hidden ones
// left out). NOT_FOUND when there is no such file.
base::Result<std::vector<std::string>> ArchiveFiles(const std::string& source);

// NOT_FOUND: cannot be read. INVALID_ARGUMENT: of no format we know, or a field map that names no column.
base::Result<std::unique_ptr<ArchiveReader>> OpenArchive(const std::string& file, const ArchiveOptions& options);

// Names a field map may use.
bool IsArchiveField(std::string_view name);

}  // namespace racewatch::ingest
