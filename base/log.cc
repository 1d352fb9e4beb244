#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

namespace racewatch::base {
namespace {

constexpr auto kRateWindow = std::chrono::seconds(10);

std::string UtcNow() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[40];
  const size_t n = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &tm);
  std::snprintf(buffer + n, sizeof buffer - n, ".%03dZ", static_cast<int>(ms % 1000));
  return buffer;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
  }
  return "info";
}

spdlog::level::level_enum SpdLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// logfmt quotes a value that is empty or holds a space, a quote, an equals sign or a control character.
void AppendLogfmtString(std::string_view value, std::string* out) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos &&
                     std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20; });
  if (plain) {
    out->append(value);
    return;
  }
  out->push_back('"');
  for (const char c : value) {
    switch (c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\t': out->append("\\t"); break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) out->push_back('?');
        else out->push_back(c);
    }
  }
  out->push_back('"');
}

void AppendLogfmt(const LogField& field, std::string* out) {
  out->push_back(' ');
  out->append(field.name);
  out->push_back('=');
  if (const auto* text = std::get_if<std::string_view>(&field.value)) AppendLogfmtString(*text, out);
  else if (const auto* number = std::get_if<int64_t>(&field.value)) out->append(std::to_string(*number));
  else if (const auto* flag = std::get_if<bool>(&field.value)) out->append(*flag ? "true" : "false");
  else if (const auto* real = std::get_if<double>(&field.value)) out->append(fmt::format("{}", *real));
}

nlohmann::ordered_json JsonValue(const LogField& field) {
  return std::visit([](const auto& v) { return nlohmann::ordered_json(v); }, field.value);
}

}  // namespace

struct Log::Impl {
  struct Rate {
    std::chrono::steady_clock::time_point last;
    int64_t suppressed = 0;
  };

  explicit Impl(Options o)
      : options(std::move(o)),
        logger("racewatch", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%v");
    logger.set_level(SpdLevel(options.level));
    logger.flush_on(spdlog::level::trace);
  }

  std::string Format(LogLevel level, std::string_view event, std::initializer_list<LogField> fields,
                     int64_t suppressed) const {
    if (options.json) {
      nlohmann::ordered_json line{{"time", UtcNow()}, {"level", LevelName(level)}, {"event", event}};
      if (!options.role.empty()) line["role"] = options.role;
      for (const LogField& field : fields) line[std::string(field.name)] = JsonValue(field);
      if (suppressed > 0) line["suppressed"] = suppressed;
      return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    std::string line = "time=" + UtcNow() + " level=" + std::string(LevelName(level)) + " event=" + std::string(event);
    if (!options.role.empty()) line += " role=" + options.role;
    for (const LogField& field : fields) AppendLogfmt(field, &line);
    if (suppressed > 0) line += " suppressed=" + std::to_string(suppressed);
    return line;
  }

  const Options options;
  spdlog::logger logger;
  std::mutex mutex;
  std::map<std::string, Rate, std::less<>> rates;
};

Log::Log(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Log::~Log() = default;

void Log::Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!impl_->logger.should_log(SpdLevel(level))) return;
  impl_->logger.log(SpdLevel(level), "{}", impl_->Format(level, event, fields, 0));
}

void Log::RateLimited(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!impl_->logger.should_log(SpdLevel(level))) return;
  int64_t suppressed = 0;
  {
    const std::scoped_lock lock(impl_->mutex);
    const auto now = std::chrono::steady_clock::now();
    const auto [it, first] = impl_->rates.try_emplace(std::string(event), Impl::Rate{now, 0});
    if (!first) {
      if (now - it->second.last < kRateWindow) {
        ++it->second.suppressed;
        return;
      }
      suppressed = it->second.suppressed;
      it->second = {now, 0};
    }
  }
  impl_->logger.log(SpdLevel(level), "{}", impl_->Format(level, event, fields, suppressed));
}

}  // namespace racewatch::base
