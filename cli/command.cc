#include "cli/command.h"

#include <cstdio>
#include <string>

namespace racewatch::cli {

int Fail(ExitCode code, std::string_view message) {
  std::string line(message);
  for (char& c : line)
    if (c == '\n') c = ' ';
  std::fprintf(stderr, "racewatch: %s\n", line.c_str());
  return code;
}

ExitCode ExitCodeFor(const base::Status& status) {
  switch (status.code()) {
    case base::Code::kOk: return kExitOk;
    case base::Code::kUnavailable:
    case base::Code::kDeadlineExceeded: return kExitUnavailable;
    case base::Code::kNotFound:
    case base::Code::kPermissionDenied: return kExitIo;
    case base::Code::kInvalidArgument: return kExitBadData;
    default: return kExitInternal;
  }
}

}  // namespace racewatch::cli
