// Configuration files: protobuf text format into one message per role (proto/racewatch/v1/config.proto).
// Stateless functions; protobuf's own headers stay out of this one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace google::protobuf {
class Message;
}

namespace racewatch::base {

// Collects every mistake of a configuration instead of stopping at the first.
class Problems {
 public:
  // `field` as a path: `feeds[3].url`.
  void Add(std::string_view field, std::string_view what);
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  // OK, or INVALID_ARGUMENT with all lines joined by "; ".
  Status ToStatus(std::string_view file) const;

 private:
  std::vector<std::string> lines_;
};

// Reads `path` into `config`. NOT_FOUND: no such file. INVALID_ARGUMENT: `F:LINE:COLUMN: what`; the parser
// stops at its first syntax error. Unknown fields are errors.
Status LoadConfig(const std::string& path, google::protobuf::Message* config);

// The effective configuration as text format, for --check; secrets are printed as "***".
std::string PrintConfig(const google::protobuf::Message& config);

// Checks shared by the roles' validators; `field` is the path for the message.
void CheckListen(std::string_view field, const std::string& value, Problems* problems);
void CheckRange(std::string_view field, double value, double low, double high, Problems* problems);

}  // namespace racewatch::base
