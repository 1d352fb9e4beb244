#include "ingest/backfill/rows.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "ingest/backfill/csv.h"
#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/text_type.h"

namespace racewatch::ingest {
namespace {

using feed::EqualsIgnoreCase;
using feed::Trim;

enum Field { kId, kTitle, kText, kSummary, kUrl, kPublished, kUpdated, kAuthor, kLanguage, kCategories, kFields };

struct FieldNames {
  std::string_view name;
  std::array<std::string_view, 8> usual;  // in order of preference
};
constexpr std::array<FieldNames, kFields> kNames = {{
    {"id", {"id", "guid", "uri"}},
    {"title", {"title", "headline"}},
    {"text", {"text", "body", "content", "maintext", "article"}},
    {"summary", {"summary", "desc", "description", "abstract"}},
    {"url", {"url", "link", "canonical_url"}},
    {"published", {"published", "published_at", "date", "pubdate", "date_published", "publication_date", "datetime"}},
    {"updated", {"updated", "modified", "date_modified"}},
    {"author", {"author", "authors", "byline"}},
    {"language", {"language", "lang"}},
    {"categories", {"categories", "keywords", "tags", "section"}},
}};

using Row = std::array<std::string, kFields>;

void AddList(std::string_view list, std::vector<std::string>* out) {
  while (!list.empty()) {
    const size_t end = std::min(list.find_first_of(",;"), list.size());
    if (std::string word = feed::Collapse(list.substr(0, end)); !word.empty() && out->size() < 32) out->push_back(std::move(word));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// False when the row is no article.
bool ToItem(Row row, ArchiveItem* item) {
  FeedEntry& entry = item->entry;
  entry.id = std::move(row[kId]);
  entry.title = HtmlToLine(row[kTitle]);
  entry.link = std::string(Trim(row[kUrl]));
  entry.author = feed::Collapse(row[kAuthor]);
  entry.language = std::move(row[kLanguage]);
  entry.published = feed::ParseDate(row[kPublished]);
  entry.updated = feed::ParseDate(row[kUpdated]);
  entry.summary = TextToHtml(row[kSummary]);
  entry.content = TextToHtml(row[kText]);
  AddList(row[kCategories], &entry.categories);
  if (!entry.title.empty() || !entry.content.empty()) return true;
  item->reject_reason = "no_title";
  item->detail = "neither title nor text";
  return false;
}

void Reject(std::string reason, std::string detail, std::string_view original, ArchiveItem* item) {
  item->reject_reason = std::move(reason);
  item->detail = std::move(detail);
  item->original = original;
}

class RowArchive : public ArchiveReader {
 public:
  RowArchive(std::string file, std::unique_ptr<InputStream> input) : file_(std::move(file)), input_(std::move(input)) {}
  uint64_t bytes_read() const override { return input_->bytes_read(); }
  uint64_t bytes_total() const override { return input_->bytes_total(); }

 protected:
  std::string Where(uint64_t number) const { return file_ + ":" + std::to_string(number); }
  InputStream& input() { return *input_; }

 private:
  const std::string file_;
  const std::unique_ptr<InputStream> input_;
};

class JsonlArchive final : public RowArchive {
 public:
  JsonlArchive(std::string file, std::unique_ptr<InputStream> in, const ArchiveOptions& options)
      : RowArchive(std::move(file), std::move(in)), lines_(input()) {
    for (size_t f = 0; f < kFields; ++f) {
      const auto own = options.fields.find(std::string(kNames[f].name));
      if (own != options.fields.end()) names_[f] = {own->second};
      else for (const auto usual : kNames[f].usual) if (!usual.empty()) names_[f].emplace_back(usual);
    }
  }

  base::Result<bool> Next(ArchiveItem* item) override {
    *item = {};
    std::string_view line;
    bool too_long = false;
    do {
      RW_ASSIGN_OR_RETURN(const bool more, lines_.Next(&line, &too_long));
      if (!more) return false;
    } while (Trim(line).empty());
    item->where = Where(lines_.number());
    simdjson::dom::object object;
    if (too_long)
      Reject("bad_line", "longer than " + std::to_string(LineReader::kLineBytesMax) + " bytes", line, item);
    else if (parser_.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS)
      Reject("bad_json", "no JSON object", line, item);
    else if (!ToItem(Read(object), item))
      item->original = line;
    return true;
  }

 private:
  Row Read(const simdjson::dom::object& object) const {
    Row row;
    for (size_t f = 0; f < kFields; ++f)
      for (const std::string& name : names_[f])
        if (row[f].empty()) row[f] = Value(object, name);
    return row;
  }

  // A string, a number, or a list of strings joined by commas.
  static std::string Value(const simdjson::dom::object& object, const std::string& name) {
    simdjson::dom::element value;
    if (object[name].get(value) != simdjson::SUCCESS) return {};
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) return std::string(text);
    int64_t number = 0;
    if (value.get(number) == simdjson::SUCCESS) return std::to_string(number);
    simdjson::dom::array list;
    std::string out;
    if (value.get(list) == simdjson::SUCCESS)
      for (const simdjson::dom::element one : list)
        if (one.get(text) == simdjson::SUCCESS) out.append(out.empty() ? "" : ", ").append(text);
    return out;
  }

  LineReader lines_;
  simdjson::dom::parser parser_;
  std::array<std::vector<std::string>, kFields> names_;
};

class CsvArchive final : public RowArchive {
 public:
  CsvArchive(std::string file, std::unique_ptr<InputStream> in, char separator)
      : RowArchive(std::move(file), std::move(in)), records_(input(), separator) {}

  // Finds the columns.
  base::Status Begin(const std::string& file, const ArchiveOptions& options) {
    CsvRecord header;
    if (options.header) {
      RW_ASSIGN_OR_RETURN(const bool any, records_.Next(&header));
      if (!any) return {};  // an empty file has no articles
      if (!header.error.empty()) return base::InvalidArgument(file + ":" + std::to_string(header.line) + ": no header: " + header.error);
      if (header.fields[0].starts_with("\xEF\xBB\xBF")) header.fields[0].erase(0, 3);
      width_ = header.fields.size();
    }
    bool found = false;
    for (size_t f = 0; f < kFields; ++f) {
      const auto own = options.fields.find(std::string(kNames[f].name));
      if (own != options.fields.end()) {
        columns_[f] = Column(header.fields, own->second);
        if (!columns_[f]) return base::InvalidArgument(file + ": no column '" + own->second + "' for " + own->first);
      } else {
        for (const auto usual : kNames[f].usual)
          if (!columns_[f] && !usual.empty()) columns_[f] = ByName(header.fields, usual);
      }
      found = found || (columns_[f] && (f == kTitle || f == kText));
    }
    return found ? base::Status() : base::InvalidArgument(file + ": no column for title or text; name them with --map");
  }

  base::Result<bool> Next(ArchiveItem* item) override {
    *item = {};
    CsvRecord record;
    RW_ASSIGN_OR_RETURN(const bool more, records_.Next(&record));
    if (!more) return false;
    item->where = Where(record.line);
    if (record.error.empty() && width_ > 0 && record.fields.size() != width_)
      record.error = std::to_string(record.fields.size()) + " fields where the header has " + std::to_string(width_);
    if (!record.error.empty()) {
      Reject("bad_line", record.error, record.original, item);
      return true;
    }
    Row row;
    for (size_t f = 0; f < kFields; ++f)
      if (columns_[f] && *columns_[f] < record.fields.size()) row[f] = std::move(record.fields[*columns_[f]]);
    if (!ToItem(std::move(row), item)) item->original = std::move(record.original);
    return true;
  }

 private:
  static std::optional<size_t> ByName(const std::vector<std::string>& header, std::string_view name) {
    for (size_t i = 0; i < header.size(); ++i)
      if (EqualsIgnoreCase(Trim(header[i]), name)) return i;
    return std::nullopt;
  }
  static std::optional<size_t> Column(const std::vector<std::string>& header, const std::string& name) {
    if (const auto named = ByName(header, name)) return named;
    size_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || number == 0) return std::nullopt;
    return number - 1;
  }

  CsvReader records_;
  size_t width_ = 0;
  std::array<std::optional<size_t>, kFields> columns_;
};

// GKG 2.1: 27 tab-separated columns; the page's title and time stand in the last, as XML.
class GkgArchive final : public RowArchive {
 public:
  GkgArchive(std::string file, std::unique_ptr<InputStream> in) : RowArchive(std::move(file), std::move(in)), records_(input(), '\t') {}

  base::Result<bool> Next(ArchiveItem* item) override {
    constexpr size_t kColumns = 27;
    *item = {};
    CsvRecord record;
    RW_ASSIGN_OR_RETURN(const bool more, records_.Next(&record));
    if (!more) return false;
    item->where = Where(record.line);
    auto& fields = record.fields;
    if (record.error.empty() && fields.size() != kColumns)
      record.error = std::to_string(fields.size()) + " columns instead of " + std::to_string(kColumns);
    const auto seen = record.error.empty() ? Stamp(fields[1]) : std::nullopt;
    if (record.error.empty() && !seen) record.error = "no date in column 2";
    if (!record.error.empty()) {
      Reject("bad_line", record.error, record.original, item);
      return true;
    }
    if (fields[2] != "1") {  // its document is no web page
      item->drop_reason = "not_a_page";
      return true;
    }
    FeedEntry& entry = item->entry;
    item->archived_ms = seen->unix_ms;
    entry.link = fields[4];
    entry.title = HtmlToLine(Between(fields[26], "<PAGE_TITLE>", "</PAGE_TITLE>"));
    entry.author = HtmlToLine(Between(fields[26], "<PAGE_AUTHORS>", "</PAGE_AUTHORS>"));
    entry.published = Stamp(Between(fields[26], "<PAGE_PRECISEPUBTIMESTAMP>", "</PAGE_PRECISEPUBTIMESTAMP>"));
    if (!entry.published) entry.published = seen;
    AddList(fields[7], &entry.categories);
    if (entry.title.empty()) item->drop_reason = "no_title";
    return true;
  }

 private:
  static std::string_view Between(std::string_view text, std::string_view begin, std::string_view end) {
    const size_t from = text.find(begin);
    if (from == std::string_view::npos) return {};
    text.remove_prefix(from + begin.size());
    return text.substr(0, text.find(end));
  }
  // 20260314091500
  static std::optional<FeedTime> Stamp(std::string_view digits) {
    if (digits.size() != 14 || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    const std::string d(digits);
    return feed::ParseDate(d.substr(0, 4) + "-" + d.substr(4, 2) + "-" + d.substr(6, 2) + "T" + d.substr(8, 2) + ":" + d.substr(10, 2) +
                           ":" + d.substr(12, 2) + "Z");
  }

  CsvReader records_;
};

}  // namespace

bool IsArchiveField(std::string_view name) {
  return std::any_of(kNames.begin(), kNames.end(), [name](const FieldNames& f) { return f.name == name; });
}

std::string TextToHtml(std::string_view text) {
  if (feed::LooksLikeHtml(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    out.append("<p>");
    feed::AppendEscaped(line, &out);
    out.append("</p>");
  }
  return out;
}

base::Result<std::unique_ptr<ArchiveReader>> OpenRows(const std::string& file, ArchiveFormat format, const ArchiveOptions& options,
                                                      std::unique_ptr<InputStream> input) {
  if (format == ArchiveFormat::kGkg) return std::unique_ptr<ArchiveReader>(std::make_unique<GkgArchive>(file, std::move(input)));
  if (format != ArchiveFormat::kCsv && format != ArchiveFormat::kTsv)
    return std::unique_ptr<ArchiveReader>(std::make_unique<JsonlArchive>(file, std::move(input), options));
  auto csv = std::make_unique<CsvArchive>(file, std::move(input), format == ArchiveFormat::kCsv ? ',' : '\t');
  RW_RETURN_IF_ERROR(csv->Begin(file, options));
  return std::unique_ptr<ArchiveReader>(std::move(csv));
}

}  // namespace racewatch::ingest
