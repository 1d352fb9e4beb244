#include "cli/batch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/process.h"
#include "ingest/feed/feed_json.h"

namespace racewatch::cli {
namespace {

constexpr size_t kFlushBytes = size_t{1} << 18;
constexpr size_t kKeepBytes = size_t{8} << 20;  // buffers that grew larger are given back

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

base::Status Unreadable(const std::string& path, const char* why) {
  return base::NotFound(path + ": " + why);
}

}  // namespace

base::Status ReadFile(const std::string& path, std::string* bytes) {
  const Descriptor file(path);
  struct stat info;
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return Unreadable(path, std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return Unreadable(path, "is a directory");
  size_t filled = 0;
  size_t wanted = static_cast<size_t>(info.st_size) +
                  1;  // one more, so that the end is seen without another round
  while (true) {
    if (bytes->size() < wanted) bytes->resize(wanted);
    const ssize_t got = ::read(file.get(), bytes->data() + filled, bytes->size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(path, std::strerror(errno));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled == bytes->size()) wanted = filled * 2;
  }
  bytes->resize(filled);
  return base::Status::Ok();
}

bool WriteOut(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

int RunBatch(const FileToJson& convert) {
  std::string path, bytes, out;
  std::ios::sync_with_stdio(false);
  while (std::getline(std::cin, path)) {
    if (path.empty()) continue;
    const size_t before = out.size();
    base::Status status = ReadFile(path, &bytes);
    if (status.ok()) status = convert(&bytes, path, &out);
    if (!status.ok()) {
      out.resize(before);
      out += "{\"file\":";
      ingest::AppendJsonString(path, &out);
      out += ",\"error\":";
      ingest::AppendJsonString(status.message(), &out);
      out += '}';
    }
    out += '\n';
    if (out.size() >= kFlushBytes) {
      if (!WriteOut(out)) return Fail(kExitIo, "standard output: write failed");
      out.clear();
    }
    if (out.capacity() > kKeepBytes) std::string().swap(out);
    if (bytes.capacity() > kKeepBytes) std::string().swap(bytes);
  }
  return WriteOut(out) ? kExitOk : Fail(kExitIo, "standard output: write failed");
}

void AddFileFlags(CLI::App& app, const std::string& what, FileFlags* flags) {
  app.add_option("FILE", flags->file, what + " to read");
  app.add_flag("--batch", flags->batch, "read file paths from standard input, print one JSON line for each");
  app.add_option("--content-type", flags->content_type, "HTTP Content-Type the " + what + " came with");
}

int RunOnFiles(CLI::App& app, int argc, char** argv, const FileFlags& flags, const FileToJson& convert) {
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const std::string name = argv[0];
  if (flags.batch != flags.file.empty())
    return Fail(kExitUsage, name + ": give one FILE, or --batch (see racewatch " + name + " --help)");
  if (flags.batch) return RunBatch(convert);
  std::string bytes, out;
  base::Status status = ReadFile(flags.file, &bytes);
  if (!status.ok()) return Fail(kExitIo, status.message());
  status = convert(&bytes, {}, &out);
  if (!status.ok()) return Fail(ExitCodeFor(status), name + " " + flags.file + ": " + status.message());
  out += '\n';
  return WriteOut(out) ? kExitOk : Fail(kExitIo, "standard output: write failed");
}

}  // namespace racewatch::cli
