// Structured logs on stderr: one line per event, logfmt or JSON, with a stable event name in snake_case
// and typed fields. Create one Log in main and hand it down by reference; it outlives its users.
// Safe from any thread. A line that repeats in a hot loop goes through RateLimited.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace racewatch::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, double, bool> value;
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, int v) : name(n), value(static_cast<int64_t>(v)) {}
  LogField(std::string_view n, int64_t v) : name(n), value(v) {}
  LogField(std::string_view n, uint32_t v) : name(n), value(static_cast<int64_t>(v)) {}
  LogField(std::string_view n, uint64_t v) : name(n), value(static_cast<int64_t>(v)) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
};

class Log {
 public:
  struct Options {
    bool json = false;
    LogLevel level = LogLevel::kInfo;
    std::string role;  // the `role` field of every line
  };
  explicit Log(Options options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
  void Debug(std::string_view event, std::initializer_list<LogField> fields = {}) { Write(LogLevel::kDebug, event, fields); }
  void Info(std::string_view event, std::initializer_list<LogField> fields = {}) { Write(LogLevel::kInfo, event, fields); }
  void Warn(std::string_view event, std::initializer_list<LogField> fields = {}) { Write(LogLevel::kWarn, event, fields); }
  void Error(std::string_view event, std::initializer_list<LogField> fields = {}) { Write(LogLevel::kError, event, fields); }

  // Like Write, but at most once in 10 s per event name; the next line says how many were left out
  // (field `suppressed`).
  void RateLimited(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
