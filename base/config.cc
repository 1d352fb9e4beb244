#include "base/config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace racewatch::base {
namespace {

// Keeps the parser's first error with its place; the parser counts lines and columns from zero.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + message;
  }
  void AddWarning(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool SplitListen(const std::string& value, std::string* host, std::string* port) {
  const size_t colon = value.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == value.size()) return false;
  *host = value.substr(0, colon);
  *port = value.substr(colon + 1);
  return true;
}

}  // namespace

void Problems::Add(std::string_view field, std::string_view what) {
  lines_.push_back(std::string(field) + ": " + std::string(what));
}

Status Problems::ToStatus(std::string_view file) const {
  if (lines_.empty()) return {};
  std::string text = "config " + std::string(file) + ": ";
  for (size_t i = 0; i < lines_.size(); ++i) text += (i > 0 ? "; " : "") + lines_[i];
  return InvalidArgument(std::move(text));
}

Status LoadConfig(const std::string& path, google::protobuf::Message* config) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return NotFound("config " + path + ": " + std::strerror(errno));
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return NotFound("config " + path + ": cannot be read");
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text.str(), config)) return InvalidArgument("config " + path + ":" + error.text());
  return {};
}

namespace {

class Mask final : public google::protobuf::TextFormat::FastFieldValuePrinter {
 public:
  void PrintString(const std::string&, google::protobuf::TextFormat::BaseTextGenerator* out) const override { out->PrintLiteral("\"***\""); }
};

}  // namespace

std::string PrintConfig(const google::protobuf::Message& config) {
  google::protobuf::TextFormat::Printer printer;
  const auto* pool = config.GetDescriptor()->file()->pool();
  for (const char* name : {"password", "bearer_token", "cookie", "HeadersEntry.value"})  // secrets
    if (const auto* field = pool->FindFieldByName(std::string("racewatch.v1.FeedAccess.") + name))
      printer.RegisterFieldValuePrinter(field, new Mask);  // the printer owns it
  std::string text;
  printer.PrintToString(config, &text);
  return text;
}

void CheckListen(std::string_view field, const std::string& value, Problems* problems) {
  std::string host;
  std::string port;
  char* end = nullptr;
  const bool ok = SplitListen(value, &host, &port);
  const long number = ok ? std::strtol(port.c_str(), &end, 10) : -1;
  if (!ok || *end != '\0' || number < 0 || number > 65535)
    problems->Add(field, "'" + value + "' is not HOST:PORT with a port from 0 to 65535");
}

void CheckRange(std::string_view field, double value, double low, double high, Problems* problems) {
  if (value >= low && value <= high) return;
  std::ostringstream what;
  what << value << " is outside " << low << " to " << high;
  problems->Add(field, what.str());
}

}  // namespace racewatch::base
