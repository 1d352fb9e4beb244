// What `parse` and `extract` share: one FILE, or with `--batch` file paths on standard input, one JSON line per file on
// standard output. One thread, one file in memory at a time; nothing in one file stops the batch.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace CLI {
class App;
}

namespace racewatch::cli {

// Reads a whole file into `*bytes`, whose capacity is kept between calls. NOT_FOUND when it cannot
// be read.
base::Status ReadFile(const std::string& path, std::string* bytes);

// Appends one JSON object for a file's bytes to `*out`, without a line break; `file` goes in as
// "file". It may empty `*bytes` once they are read.
using FileToJson =
    std::function<base::Status(std::string* bytes, std::string_view file, std::string* out)>;

// FILE, --batch and --content-type.
struct FileFlags {
  std::string file;
  bool batch = false;
  std::string content_type;
};
// `what` FILE holds: feed, page.
void AddFileFlags(CLI::App& app, const std::string& what, FileFlags* flags);

// Parses argv, then runs `convert` as the flags say. Returns the exit code; errors are one line on standard error.
int RunOnFiles(CLI::App& app, int argc, char** argv, const FileFlags& flags, const FileToJson& convert);

// Runs `convert` over the files named on standard input; an error becomes {"file","error"}. Returns
// the exit code: 0, or kExitIo when standard output fails.
int RunBatch(const FileToJson& convert);

// Writes all of `text` to standard output; false when that fails.
bool WriteOut(std::string_view text);

}  // namespace racewatch::cli
