#include "store/http_params.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>

#include "racewatch/v1/store_service.pb.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;

base::Status Bad(const std::string& name, const std::string& value, const std::string& wanted) {
  return base::InvalidArgument(name + ": '" + value.substr(0, 60) + "' is not " + wanted);
}

// RFC 3339, a day (its start in UTC) or Unix seconds.
base::Status ReadTime(const base::HttpRequest& request, const std::string& name, google::protobuf::Timestamp* out,
                      bool* present) {
  const std::string value = request.Query(name);
  *present = !value.empty();
  if (value.empty()) return {};
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size() && value.size() > 8) {
    out->set_seconds(seconds);
    return {};
  }
  if (TimeUtil::FromString(value.size() == 10 ? value + "T00:00:00Z" : value, out)) return {};
  return Bad(name, value, "a time like 2026-01-05T00:00:00Z, a day like 2026-01-05 or Unix seconds");
}

template <typename Request>
base::Status ReadSpan(const base::HttpRequest& request, Request* out) {
  bool present = false;
  google::protobuf::Timestamp time;
  RW_RETURN_IF_ERROR(ReadTime(request, "from", &time, &present));
  if (present) *out->mutable_from() = time;
  time.Clear();
  RW_RETURN_IF_ERROR(ReadTime(request, "to", &time, &present));
  if (present) *out->mutable_to() = time;
  return {};
}

base::Status ReadWindow(const base::HttpRequest& request, v1::Window* out) {
  const std::string value = request.Query("window", "hour");
  if (value == "hour") *out = v1::WINDOW_HOUR;
  else if (value == "day") *out = v1::WINDOW_DAY;
  else if (value == "all") *out = v1::WINDOW_ALL;
  else return Bad("window", value, "hour, day or all");
  return {};
}

base::Status SetField(v1::SeriesKey* key, std::string_view name, const std::string& value) {
  if (name == "theme") key->set_theme(value);
  else if (name == "target") key->set_target(value);
  else if (name == "position") key->set_position(value);
  else if (name == "lean") key->set_lean(value);
  else if (name == "language") key->set_language(value);
  else if (name == "publisher_group") key->set_publisher_group(value);
  else if (name == "query") key->set_query(value);
  else return base::InvalidArgument("series: '" + std::string(name.substr(0, 60)) +
                                    "' is not theme, target, position, lean, language, publisher_group or query");
  return {};
}

// `series=theme=markets,language=en`, any number of times; or theme=…&language=… for one series; or `series=all`.
template <typename Request>
base::Status ReadSeries(const base::HttpRequest& request, Request* out) {
  v1::SeriesKey single;
  bool has_single = false;
  for (const auto& [name, value] : request.query) {
    if (name == "series") {
      v1::SeriesKey* key = out->add_series();
      if (value == "all") continue;
      for (size_t start = 0; start <= value.size();) {
        const size_t end = std::min(value.find(',', start), value.size());
        const size_t equals = std::min(value.find('=', start), end);
        if (equals == end) return Bad("series", value, "like theme=markets,language=en, or all");
        RW_RETURN_IF_ERROR(SetField(key, value.substr(start, equals - start), value.substr(equals + 1, end - equals - 1)));
        start = end + 1;
      }
    } else if (!value.empty() && SetField(&single, name, value).ok()) {
      has_single = true;
    }
  }
  if (has_single) *out->add_series() = single;
  return {};
}

std::string Csv(std::string text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  for (size_t i = 0; (i = text.find('"', i)) != std::string::npos; i += 2) text.insert(i, 1, '"');
  return "\"" + text + "\"";
}

std::string Number(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, error == std::errc() ? end : buffer};
}

std::string KeyCsv(const v1::SeriesKey& key) {
  return Csv(key.theme()) + "," + Csv(key.target()) + "," + Csv(key.position()) + "," + Csv(key.lean()) + "," +
         Csv(key.language()) + "," + Csv(key.publisher_group());
}

std::string PointCsv(const v1::TrendPoint& p) {
  return std::to_string(p.articles()) + "," + (p.has_stories() ? std::to_string(p.stories()) : "") + "," + std::to_string(p.publishers()) + "," +
         Number(p.share()) + "," + Number(p.share_low()) + "," + Number(p.share_high()) + "," + Number(p.coverage());
}

// Behind all other columns, so that those keep their places.
std::string AdjustedCsv(const v1::TrendPoint& p) {
  if (!p.has_adjusted_share()) return ",,,";
  return "," + Number(p.adjusted_share()) + "," + Number(p.adjusted_share_low()) + "," + Number(p.adjusted_share_high());
}

constexpr std::string_view kKeyColumns = "theme,target,position,lean,language,publisher_group";

}  // namespace

base::Status CheckParameters(const base::HttpRequest& request, const std::vector<Parameter>& known) {
  for (const auto& [name, value] : request.query) {
    if (std::any_of(known.begin(), known.end(), [&n = name](const Parameter& p) { return p.name == n; })) continue;
    std::string names;
    for (const Parameter& p : known) names.append(names.empty() ? "" : ", ").append(p.name);
    return base::InvalidArgument("unknown parameter '" + name.substr(0, 60) + "'; known are " + (names.empty() ? "none" : names));
  }
  return {};
}

base::Status ReadTrends(const base::HttpRequest& request, v1::GetTrendsRequest* out) {
  v1::Window window = v1::WINDOW_HOUR;
  RW_RETURN_IF_ERROR(ReadWindow(request, &window));
  out->set_window(window);
  RW_RETURN_IF_ERROR(ReadSpan(request, out));
  RW_ASSIGN_OR_RETURN(const bool zeros, ReadBool(request, "include_zeros", false));
  out->set_include_zeros(zeros);
  out->set_model_version(request.Query("model_version"));
  return ReadSeries(request, out);
}

base::Status ReadCompare(const base::HttpRequest& request, v1::CompareTrendsRequest* out) {
  bool present = false;
  google::protobuf::Timestamp time;
  const auto read = [&](const char* name, google::protobuf::Timestamp* (v1::CompareTrendsRequest::*field)()) -> base::Status {
    time.Clear();
    RW_RETURN_IF_ERROR(ReadTime(request, name, &time, &present));
    if (present) *(out->*field)() = time;
    return {};
  };
  RW_RETURN_IF_ERROR(read("a_from", &v1::CompareTrendsRequest::mutable_a_from));
  RW_RETURN_IF_ERROR(read("a_to", &v1::CompareTrendsRequest::mutable_a_to));
  RW_RETURN_IF_ERROR(read("b_from", &v1::CompareTrendsRequest::mutable_b_from));
  RW_RETURN_IF_ERROR(read("b_to", &v1::CompareTrendsRequest::mutable_b_to));
  return ReadSeries(request, out);
}

base::Status ReadCoverageRequest(const base::HttpRequest& request, v1::GetCoverageRequest* out) {
  v1::Window window = v1::WINDOW_HOUR;
  RW_RETURN_IF_ERROR(ReadWindow(request, &window));
  out->set_window(window);
  return ReadSpan(request, out);
}

base::Status ReadStories(const base::HttpRequest& request, v1::ListStoriesRequest* out) {
  uint32_t size = 0;
  RW_RETURN_IF_ERROR(ReadPage(request, &size, out->mutable_page_token()));
  out->set_page_size(size);
  return ReadFilter(request, out->mutable_filter());
}

base::Status ReadAlerts(const base::HttpRequest& request, v1::ListAlertsRequest* out) {
  uint32_t size = 0;
  RW_RETURN_IF_ERROR(ReadPage(request, &size, out->mutable_page_token()));
  out->set_page_size(size);
  RW_ASSIGN_OR_RETURN(const bool open_only, ReadBool(request, "open_only", false));
  out->set_open_only(open_only);
  out->set_rule(request.Query("rule"));
  return {};
}

base::Status ReadCorrections(const base::HttpRequest& request, v1::ListCorrectionsRequest* out) {
  uint32_t size = 0;
  RW_RETURN_IF_ERROR(ReadPage(request, &size, out->mutable_page_token()));
  out->set_page_size(size);
  out->set_article_id(request.Query("article_id"));
  return {};
}

base::Status ReadSample(const base::HttpRequest& request, v1::SampleArticlesRequest* out) {
  const auto number = [&request](const char* name, auto* value) -> base::Status {
    const std::string text = request.Query(name, "0");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc() || end != text.data() + text.size()) return Bad(name, text, "a whole number");
    return {};
  };
  uint32_t size = 0;
  uint64_t seed = 0;
  RW_RETURN_IF_ERROR(number("size", &size));
  RW_RETURN_IF_ERROR(number("seed", &seed));
  out->set_size(size);
  out->set_seed(seed);
  return ReadFilter(request, out->mutable_filter());
}

base::Status ReadFilter(const base::HttpRequest& request, v1::ArticleFilter* out) {
  out->set_theme(request.Query("theme"));
  out->set_target(request.Query("target"));
  out->set_position(request.Query("position"));
  out->set_lean(request.Query("lean"));
  out->set_language(request.Query("language"));
  out->set_publisher(request.Query("publisher"));
  out->set_text(request.Query("text"));
  out->set_query(request.Query("query"));
  RW_ASSIGN_OR_RETURN(const bool relevant, ReadBool(request, "relevant_only", false));
  out->set_relevant_only(relevant);
  return ReadSpan(request, out);
}

base::Status ReadPage(const base::HttpRequest& request, uint32_t* size, std::string* token) {
  const std::string value = request.Query("page_size", "0");
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *size);
  if (error != std::errc() || end != value.data() + value.size()) return Bad("page_size", value, "a number from 1 to 500");
  *token = request.Query("page_token");
  return {};
}

base::Result<bool> ReadBool(const base::HttpRequest& request, const std::string& name, bool otherwise) {
  const std::string value = request.Query(name, otherwise ? "true" : "false");
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return Bad(name, value, "true or false");
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  return status.ok() ? out : ErrorJson(base::Internal("answer: not printable as JSON"));
}

std::string ErrorJson(const base::Status& status) {
  std::string escaped;
  for (const char c : status.message()) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    escaped.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return "{\"code\":" + std::to_string(static_cast<int>(status.code())) + ",\"message\":\"" + escaped + "\"}\n";
}

int HttpStatusFor(const base::Status& status) {
  switch (status.code()) {
    case base::Code::kOk: return 200;
    case base::Code::kInvalidArgument:
    case base::Code::kOutOfRange: return 400;
    case base::Code::kNotFound: return 404;
    case base::Code::kResourceExhausted: return 429;
    case base::Code::kUnavailable: return 503;
    default: return 500;
  }
}

std::string ToCsv(const v1::GetTrendsResponse& response) {
  std::string out = "start," + std::string(kKeyColumns) + ",articles,stories,publishers,share,share_low,share_high,coverage,query,adjusted_share,adjusted_share_low,adjusted_share_high\r\n";
  for (const auto& series : response.series())
    for (const auto& p : series.points())
      out += (p.has_start() ? TimeUtil::ToString(p.start()) : "") + "," + KeyCsv(series.key()) + "," + PointCsv(p) + "," + Csv(series.key().query()) + AdjustedCsv(p) + "\r\n";
  return out;
}

std::string ToCsv(const v1::CompareTrendsResponse& response) {
  std::string out(kKeyColumns);
  for (const char* side : {"a", "b"})
    for (const char* name : {"articles", "stories", "publishers", "share", "share_low", "share_high", "coverage"})
      out += "," + std::string(side) + "_" + name;
  out += ",ratio,query";
  for (const char* side : {"a", "b"})
    for (const char* name : {"adjusted_share", "adjusted_share_low", "adjusted_share_high"}) out += "," + std::string(side) + "_" + name;
  out += "\r\n";
  for (const auto& c : response.comparisons())
    out += KeyCsv(c.key()) + "," + PointCsv(c.a()) + "," + PointCsv(c.b()) + "," + (c.has_ratio() ? Number(c.ratio()) : "") + "," + Csv(c.key().query()) + AdjustedCsv(c.a()) + AdjustedCsv(c.b()) + "\r\n";
  return out;
}

std::string ToCsv(const v1::GetCoverageResponse& response) {
  std::string out = "start,publisher_group,seen,expected\r\n";
  for (const auto& p : response.points())
    out += TimeUtil::ToString(p.start()) + "," + Csv(p.publisher_group()) + "," + std::to_string(p.seen()) + "," +
           std::to_string(p.expected()) + "\r\n";
  return out;
}

bool WantsCsv(const base::HttpRequest& request) {
  const std::string format = request.Query("format");
  if (!format.empty()) return format == "csv";
  const auto accept = request.headers.find("accept");
  return accept != request.headers.end() && accept->second.find("text/csv") != std::string::npos;
}

}  // namespace racewatch::store
