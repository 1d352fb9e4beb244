#include "ingest/backfill/archive.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "ingest/backfill/input_stream.h"
#include "ingest/backfill/rows.h"
#include "ingest/backfill/warc.h"
#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/feed_list.h"
#include "ingest/page/page_extractor.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr size_t kFeedBytesMax = size_t{256} << 20;

constexpr std::pair<std::string_view, ArchiveFormat> kFormats[] = {
    {"auto", ArchiveFormat::kAuto}, {"jsonl", ArchiveFormat::kJsonl}, {"csv", ArchiveFormat::kCsv},
    {"tsv", ArchiveFormat::kTsv},   {"warc", ArchiveFormat::kWarc},   {"gkg", ArchiveFormat::kGkg},
    {"gal", ArchiveFormat::kGal},   {"feed", ArchiveFormat::kFeed},   {"opml", ArchiveFormat::kOpml}};

std::optional<ArchiveFormat> FormatOf(const std::string& file) {
  std::string name = std::filesystem::path(file).filename().string();
  for (char& c : name) c = feed::ToLower(c);
  for (const std::string_view packed : {".gz", ".zip"})
    if (name.ends_with(packed)) name.resize(name.size() - packed.size());
  const auto ends = [&name](std::initializer_list<std::string_view> with) {
    return std::any_of(with.begin(), with.end(), [&name](std::string_view end) { return name.ends_with(end); });
  };
  if (ends({".gal.json"})) return ArchiveFormat::kGal;
  if (ends({".jsonl", ".ndjson"})) return ArchiveFormat::kJsonl;
  if (ends({".gkg.csv"})) return ArchiveFormat::kGkg;
  if (ends({".csv"})) return ArchiveFormat::kCsv;
  if (ends({".tsv", ".tab"})) return ArchiveFormat::kTsv;
  if (ends({".warc", ".warc.wet", ".wet"})) return ArchiveFormat::kWarc;
  if (ends({".opml"})) return ArchiveFormat::kOpml;
  if (ends({".xml", ".rss", ".rdf", ".atom", ".json"})) return ArchiveFormat::kFeed;
  return std::nullopt;
}

class WarcArchive final : public ArchiveReader {
 public:
  WarcArchive(std::string file, std::unique_ptr<InputStream> input)
      : file_(std::move(file)), input_(std::move(input)), records_(*input_) {}

  base::Result<bool> Next(ArchiveItem* item) override {
    *item = {};
    WarcRecord record;
    RW_ASSIGN_OR_RETURN(const bool more, records_.Next(&record));
    if (!more) return false;
    item->where = file_ + ":" + std::to_string(++number_);
    item->entry.link = record.target;
    if (const auto date = feed::ParseDate(record.date)) item->archived_ms = date->unix_ms;
    if (record.cut) {
      item->drop_reason = "too_large";
    } else if (record.type == "response") {
      Response(record, item);
    } else if (record.type == "resource") {
      ReadPage(record.block, record.content_type, item);
    } else if (record.type == "conversion" && feed::StartsWithIgnoreCase(record.content_type, "text/plain")) {
      item->entry.content = TextToHtml(record.block);
      if (item->entry.content.empty()) item->drop_reason = "no_text";
    } else {
      item->drop_reason = "not_a_page";
    }
    return true;
  }
  uint64_t bytes_read() const override { return input_->bytes_read(); }
  uint64_t bytes_total() const override { return input_->bytes_total(); }

 private:
  static void Response(const WarcRecord& record, ArchiveItem* item) {
    const auto response = ReadArchivedResponse(record.block);
    if (!response.ok()) {
      item->reject_reason = "bad_response";
      item->detail = response.status().message();
      item->original = record.block;
    } else if (response->status != 200) {
      item->drop_reason = "http_status";
    } else {
      ReadPage(response->body, response->content_type, item);
    }
  }

  static void ReadPage(std::string_view body, std::string_view content_type, ArchiveItem* item) {
    const bool html = content_type.empty() || content_type.find("html") != std::string_view::npos;
    auto page = html ? ExtractPage(body, {.url = item->entry.link, .content_type = content_type})
                     : base::Result<Page>(base::InvalidArgument("not HTML"));
    if (!page.ok()) {
      item->drop_reason = "not_a_page";
      return;
    }
    if (page->text.empty() || page->consent_wall || page->captcha) {
      item->drop_reason = "no_text";
      return;
    }
    item->entry.title = page->title;
    item->page = std::move(*page);
  }

  const std::string file_;
  const std::unique_ptr<InputStream> input_;
  WarcReader records_;
  uint64_t number_ = 0;
};

// A feed document that is already in memory.
class FeedArchive final : public ArchiveReader {
 public:
  FeedArchive(std::string file, Feed feed, uint64_t bytes) : file_(std::move(file)), feed_(std::move(feed)), bytes_(bytes) {}

  base::Result<bool> Next(ArchiveItem* item) override {
    *item = {};
    if (at_ == feed_.entries.size()) {
      if (feed_.truncated) return base::DataLoss(file_ + ": the document ends early");
      return false;
    }
    item->entry = std::move(feed_.entries[at_++]);
    item->where = file_ + ":" + std::to_string(at_);
    item->feed_language = feed_.language;
    if (item->entry.title.empty() && item->entry.content.empty() && item->entry.summary.empty()) item->drop_reason = "no_title";
    return true;
  }
  uint64_t bytes_read() const override { return at_ == feed_.entries.size() ? bytes_ : bytes_ * at_ / (feed_.entries.size() + 1); }
  uint64_t bytes_total() const override { return bytes_; }

 private:
  const std::string file_;
  Feed feed_;
  const uint64_t bytes_;
  size_t at_ = 0;
};

base::Result<std::string> ReadAll(const std::string& file) {
  RW_ASSIGN_OR_RETURN(const auto input, InputStream::Open(file));
  std::string bytes;
  for (;;) {
    RW_ASSIGN_OR_RETURN(const std::string_view piece, input->Read());
    if (piece.empty()) return bytes;
    bytes.append(piece);
    if (bytes.size() > kFeedBytesMax) return base::InvalidArgument(file + ": larger than " + std::to_string(kFeedBytesMax) + " bytes");
  }
}

base::Result<std::unique_ptr<ArchiveReader>> FeedOf(const std::string& name, const std::string& bytes, const std::string& base_url) {
  ParseOptions options;
  options.base_url = base_url;
  auto feed = ParseFeed(bytes, options);
  if (!feed.ok()) return base::InvalidArgument(name + ": " + feed.status().message());
  return std::unique_ptr<ArchiveReader>(std::make_unique<FeedArchive>(name, std::move(*feed), bytes.size()));
}

// The feeds of an OPML list, one after the other.
class OpmlArchive final : public ArchiveReader {
 public:
  OpmlArchive(std::string file, std::vector<FeedSpec> feeds, std::function<base::Result<std::string>(const std::string&)> fetch)
      : file_(std::move(file)), feeds_(std::move(feeds)), fetch_(std::move(fetch)) {}

  base::Result<bool> Next(ArchiveItem* item) override {
    for (;;) {
      if (current_) {
        auto more = current_->Next(item);
        if (more.ok() && *more) return true;
        current_.reset();
        if (!more.ok()) return Unreadable(more.status(), item);
      }
      if (at_ == feeds_.size()) return false;
      auto opened = Open(feeds_[at_++].url);
      if (!opened.ok()) return Unreadable(opened.status(), item);
      current_ = std::move(*opened);
    }
  }
  uint64_t bytes_read() const override { return at_; }
  uint64_t bytes_total() const override { return feeds_.size(); }

 private:
  // One feed that cannot be read is one item, so that the others come all the same.
  bool Unreadable(const base::Status& why, ArchiveItem* item) const {
    *item = {};
    item->where = file_ + ":" + std::to_string(at_);
    item->reject_reason = "unreadable";
    item->detail = why.message();
    item->original = feeds_[at_ - 1].url;
    return true;
  }

  base::Result<std::unique_ptr<ArchiveReader>> Open(const std::string& url) const {
    if (!UrlHost(url).empty()) {
      if (!fetch_) return base::InvalidArgument(url + ": no network here");
      RW_ASSIGN_OR_RETURN(const std::string bytes, fetch_(url));
      return FeedOf(url, bytes, url);
    }
    const auto path = FilePath(url);
    const std::filesystem::path own = std::filesystem::path(file_).parent_path() / (path ? *path : url);
    RW_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(own.string()));
    return FeedOf(own.string(), bytes, "");
  }

  const std::string file_;
  const std::vector<FeedSpec> feeds_;
  const std::function<base::Result<std::string>(const std::string&)> fetch_;
  std::unique_ptr<ArchiveReader> current_;
  size_t at_ = 0;
};

}  // namespace

std::optional<ArchiveFormat> ArchiveFormatByName(std::string_view name) {
  for (const auto& [known, format] : kFormats)
    if (known == name) return format;
  return std::nullopt;
}

base::Result<std::vector<std::string>> ArchiveFiles(const std::string& source) {
  std::error_code error;
  const auto status = std::filesystem::status(source, error);
  if (error || !std::filesystem::exists(status)) return base::NotFound(source + ": no such file");
  if (!std::filesystem::is_directory(status)) return std::vector<std::string>{source};
  std::vector<std::string> files;
  for (std::filesystem::recursive_directory_iterator it(source, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && !it->path().filename().string().starts_with('.')) files.push_back(it->path().string());
  if (error) return base::NotFound(source + ": " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

base::Result<std::unique_ptr<ArchiveReader>> OpenArchive(const std::string& file, const ArchiveOptions& options) {
  const auto format = options.format == ArchiveFormat::kAuto ? FormatOf(file) : std::optional(options.format);
  if (!format) return base::InvalidArgument(file + ": the name does not tell the format; give --format");
  if (*format == ArchiveFormat::kFeed) {
    RW_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(file));
    return FeedOf(file, bytes, "");
  }
  if (*format == ArchiveFormat::kOpml) {
    RW_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(file));
    auto feeds = ParseOpml(bytes);
    if (!feeds.ok()) return base::InvalidArgument(file + ": " + feeds.status().message());
    return std::unique_ptr<ArchiveReader>(std::make_unique<OpmlArchive>(file, std::move(*feeds), options.fetch));
  }
  RW_ASSIGN_OR_RETURN(auto input, InputStream::Open(file));
  if (*format == ArchiveFormat::kWarc) return std::unique_ptr<ArchiveReader>(std::make_unique<WarcArchive>(file, std::move(input)));
  return OpenRows(file, *format, options, std::move(input));
}

}  // namespace racewatch::ingest
