#include "cli/demo_week.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "cli/demo_render.h"

namespace racewatch::cli {
namespace {

namespace fs = std::filesystem;
using base::InvalidArgument;
using base::NotFound;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kDayMs = 24 * 60 * kMinuteMs;

std::string_view Trim(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> Split(std::string_view s, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = s.find(separator);
    const std::string_view part = Trim(s.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    s.remove_prefix(end + 1);
  }
}

// "2 07:15" (day of the week from 0, then hour and minute) as milliseconds since the start.
std::optional<int64_t> ParseWeekTime(std::string_view day, std::string_view time) {
  int d = 0, h = 0, m = 0;
  const auto number = [](std::string_view s, int* out) {
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), *out);
    return error == std::errc() && end == s.data() + s.size();
  };
  if (time.size() != 5 || time[2] != ':') return std::nullopt;
  if (!number(day, &d) || !number(time.substr(0, 2), &h) || !number(time.substr(3), &m)) return std::nullopt;
  if (d < 0 || d > 6 || h < 0 || h > 23 || m < 0 || m > 59) return std::nullopt;
  return d * kDayMs + (h * 60 + m) * kMinuteMs;
}

Result<std::string> ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return NotFound("demo week: cannot read " + path.string());
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

std::optional<DemoFormat> ParseFormat(const std::string& name) {
  if (name == "rss") return DemoFormat::kRss2;
  if (name == "rdf") return DemoFormat::kRdf;
  if (name == "atom") return DemoFormat::kAtom;
  if (name == "json") return DemoFormat::kJsonFeed;
  return std::nullopt;
}

Result<DemoFault> ParseFault(const json& j) {
  DemoFault fault;
  const std::string kind = j.at("kind");
  if (kind == "server_error") fault.kind = DemoFault::Kind::kServerError;
  else if (kind == "truncated") fault.kind = DemoFault::Kind::kTruncated;
  else return InvalidArgument("fault of unknown kind '" + kind + "'");
  const auto time = [&](const char* field) -> std::optional<int64_t> {
    const auto parts = Split(j.at(field).get<std::string>(), ' ');
    return parts.size() == 2 ? ParseWeekTime(parts[0], parts[1]) : std::nullopt;
  };
  const auto from = time("from"), to = time("to");
  if (!from || !to || *from >= *to) return InvalidArgument("fault without a proper from and to");
  fault.from_ms = *from;
  fault.to_ms = *to;
  return fault;
}

Result<DemoFeed> ParseFeed(const json& j) {
  DemoFeed feed;
  feed.id = j.at("id");
  feed.title = j.at("title");
  feed.host = j.at("host");
  feed.path = j.at("path");
  feed.description = j.at("description");
  feed.language = j.at("language");
  feed.publisher_group = j.at("publisher_group");
  feed.desk = j.at("desk");
  const auto format = ParseFormat(j.at("format"));
  if (!format) return InvalidArgument("feed '" + feed.id + "': unknown format");
  feed.format = *format;
  feed.summary_only = j.value("summary_only", false);
  feed.cdata = j.value("cdata", false);
  feed.guid_style = j.value("guid", "url");
  feed.link_pattern = j.at("link_pattern");
  feed.etag_style = j.value("etag", "strong");
  feed.utc_offset_min = j.value("utc_offset_min", 0);
  for (const json& f : j.value("faults", json::array())) {
    RW_ASSIGN_OR_RETURN(DemoFault fault, ParseFault(f));
    feed.faults.push_back(fault);
  }
  return feed;
}

// Reads one line at a time and remembers where it is, for messages.
class LineReader {
 public:
  LineReader(std::string_view text, const std::string& file) : rest_(text), file_(file) {}
  bool Next(std::string_view* line) {
    if (rest_.empty()) return false;
    const auto end = rest_.find('\n');
    *line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ++number_;
    return true;
  }
  Status Error(const std::string& what) const {
    return InvalidArgument(file_ + ":" + std::to_string(number_) + ": " + what);
  }

 private:
  std::string_view rest_;
  const std::string& file_;
  int number_ = 0;
};

// The article that is being read: header, labels, title, paragraphs.
struct Draft {
  size_t feed = 0;
  std::string slug;
  DemoVersion version;
  bool has_labels = false;
};

// `== FEED DAY HH:MM SLUG | AUTHOR | CATEGORY, CATEGORY`
Result<Draft> ParseHeader(std::string_view line, const LineReader& at, const DemoWeek& week) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = line;;) {
    const auto bar = rest.find('|');
    fields.push_back(Trim(rest.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  const auto words = Split(fields[0], ' ');
  if (fields.size() != 3 || words.size() != 5) return at.Error("want == FEED DAY HH:MM SLUG | AUTHOR | CATEGORIES");
  Draft draft;
  const auto feed = std::find_if(week.feeds.begin(), week.feeds.end(),
                                 [&](const DemoFeed& f) { return f.id == words[1]; });
  if (feed == week.feeds.end()) return at.Error("unknown feed '" + words[1] + "'");
  draft.feed = static_cast<size_t>(feed - week.feeds.begin());
  const auto time = ParseWeekTime(words[2], words[3]);
  if (!time) return at.Error("bad time '" + words[2] + " " + words[3] + "'");
  draft.version.at_ms = *time;
  draft.slug = words[4];
  draft.version.author = fields[1];
  draft.version.categories = Split(fields[2], ',');
  return draft;
}

// `-- off`, or `-- THEME THEME; TARGET=POSITION TARGET=POSITION; LEAN`
Status ParseLabels(std::string_view line, const LineReader& at, DemoLabels* labels) {
  line = Trim(line.substr(2));
  if (line == "off") return Status::Ok();
  std::vector<std::string_view> fields;
  for (std::string_view rest = line;;) {
    const auto end = rest.find(';');
    fields.push_back(Trim(rest.substr(0, end)));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (fields.size() != 3) return at.Error("want -- off, or -- THEMES; TARGET=POSITION; LEAN");
  labels->relevant = true;
  labels->themes = Split(fields[0], ' ');
  for (const std::string& pair : Split(fields[1], ' ')) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) return at.Error("want TARGET=POSITION, not '" + pair + "'");
    labels->stance[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  labels->lean = fields[2];
  return Status::Ok();
}

Status Finish(Draft draft, const LineReader& at, DemoWeek* week) {
  if (draft.version.title.empty() || draft.version.paragraphs.empty() || !draft.has_labels)
    return at.Error("article '" + draft.slug + "' above lacks labels, title or text");
  for (DemoArticle& article : week->articles) {
    if (article.feed != draft.feed || article.slug != draft.slug) continue;
    article.versions.push_back(std::move(draft.version));
    return Status::Ok();
  }
  DemoArticle article;
  article.feed = draft.feed;
  article.slug = std::move(draft.slug);
  article.versions.push_back(std::move(draft.version));
  week->articles.push_back(std::move(article));
  return Status::Ok();
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// Links and guids depend on the final order of an article's versions, so they come last.
void Address(DemoWeek* week) {
  for (DemoArticle& article : week->articles)
    std::stable_sort(article.versions.begin(), article.versions.end(),
                     [](const DemoVersion& a, const DemoVersion& b) { return a.at_ms < b.at_ms; });
  std::stable_sort(week->articles.begin(), week->articles.end(), [](const DemoArticle& a, const DemoArticle& b) {
    return std::pair(a.published_ms(), a.feed) < std::pair(b.published_ms(), b.feed);
  });
  std::vector<int> numbers(week->feeds.size(), 48210);
  for (DemoArticle& article : week->articles) {
    const DemoFeed& feed = week->feeds[article.feed];
    const std::string day = FormatRfc3339(week->start_ms + article.published_ms(), feed.utc_offset_min).substr(0, 10);
    std::string path = Replace(feed.link_pattern, "{y}", day.substr(0, 4));
    path = Replace(Replace(path, "{m}", day.substr(5, 2)), "{d}", day.substr(8, 2));
    article.link = "http://" + feed.host + Replace(path, "{slug}", article.slug);
    if (feed.guid_style == "tag") article.guid = "tag:" + feed.host + "," + day + ":" + article.slug;
    else if (feed.guid_style == "number") article.guid = std::to_string(numbers[article.feed] += 7);
    else article.guid = article.link;
  }
}

Result<DemoWeek> ParseFeeds(const std::string& text) {
  DemoWeek week;
  try {
    const json j = json::parse(text);
    week.start_ms = j.at("start_unix_s").get<int64_t>() * 1000;
    week.length_ms = 7 * kDayMs;
    for (const json& f : j.at("feeds")) {
      RW_ASSIGN_OR_RETURN(DemoFeed feed, ParseFeed(f));
      week.feeds.push_back(std::move(feed));
    }
  } catch (const json::exception& e) {
    return InvalidArgument(e.what());
  }
  return week;
}

}  // namespace

const DemoVersion* DemoArticle::At(int64_t ms) const {
  const DemoVersion* shown = nullptr;
  for (const DemoVersion& version : versions)
    if (version.at_ms <= ms) shown = &version;
  return shown;
}

Status ParseDemoArticles(std::string_view text, const std::string& file_name, DemoWeek* week) {
  LineReader reader(text, file_name);
  std::optional<Draft> draft;
  bool open_paragraph = false;
  for (std::string_view line; reader.Next(&line);) {
    line = Trim(line);
    if (line.starts_with("== ")) {
      if (draft) RW_RETURN_IF_ERROR(Finish(std::move(*draft), reader, week));
      RW_ASSIGN_OR_RETURN(draft, ParseHeader(line, reader, *week));
      open_paragraph = false;
    } else if (line.empty()) {
      open_paragraph = false;
    } else if (!draft) {
      if (!line.starts_with("//")) return reader.Error("text before the first article");
    } else if (line.starts_with("-- ")) {
      RW_RETURN_IF_ERROR(ParseLabels(line, reader, &draft->version.labels));
      draft->has_labels = true;
    } else if (line.starts_with("# ")) {
      draft->version.title = Trim(line.substr(2));
    } else if (open_paragraph) {
      draft->version.paragraphs.back().append(" ").append(line);
    } else {
      draft->version.paragraphs.emplace_back(line);
      open_paragraph = true;
    }
  }
  if (draft) RW_RETURN_IF_ERROR(Finish(std::move(*draft), reader, week));
  Address(week);
  return Status::Ok();
}

Result<DemoWeek> LoadDemoWeek(const std::string& dir) {
  RW_ASSIGN_OR_RETURN(const std::string feeds, ReadFile(fs::path(dir) / "feeds.json"));
  auto week = ParseFeeds(feeds);
  if (!week.ok()) return week.status().Annotate(dir + "/feeds.json");
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(dir) / "week", error))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  if (files.empty()) return NotFound("demo week: no article files in " + dir + "/week");
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    RW_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    RW_RETURN_IF_ERROR(ParseDemoArticles(text, file.filename().string(), &*week));
  }
  return week;
}

std::string DemoDataDir() {
  std::error_code error;
  const fs::path exe = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& dir : {exe / "demo", exe.parent_path() / "share/racewatch/demo", fs::path(RACEWATCH_DEMO_DIR)})
    if (fs::exists(dir / "feeds.json", error)) return dir.string();
  return {};
}

}  // namespace racewatch::cli
