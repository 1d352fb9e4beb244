// The bytes of an archive file as one stream, unpacked on the way: plain, gzip of any number of members, or the first
// file of a zip. Memory is two fixed buffers whatever the file holds. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::ingest {

class InputStream {
 public:
  // NOT_FOUND when the file cannot be read, INVALID_ARGUMENT for a zip that we cannot unpack.
  static base::Result<std::unique_ptr<InputStream>> Open(const std::string& path);
  // Bytes in memory, which outlive the stream: for tests and fuzzers.
  static std::unique_ptr<InputStream> OfBytes(std::string_view bytes);
  ~InputStream();

  // Up to `bytes_max` of what comes next; empty at the end. The view lives until the next call. DATA_LOSS: the packed data
  // is damaged or cut; all that could be unpacked has been handed out before.
  base::Result<std::string_view> Read(size_t bytes_max = size_t{64} << 10);

  // Of the file as it lies on disk, for progress.
  uint64_t bytes_read() const;
  uint64_t bytes_total() const;

 private:
  struct Impl;
  explicit InputStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Lines of a stream. A line longer than `kLineBytesMax` is handed out cut, with `too_long` set.
class LineReader {
 public:
  static constexpr size_t kLineBytesMax = size_t{4} << 20;

  explicit LineReader(InputStream& input) : input_(input) {}

  // False at the end. The line comes without its line break and lives until the next call.
  base::Result<bool> Next(std::string_view* line, bool* too_long);
  uint64_t number() const { return number_; }  // of the line handed out last, from 1

 private:
  InputStream& input_;
  std::string line_;
  std::string rest_;
  size_t at_ = 0;
  uint64_t number_ = 0;
  bool ended_ = false;
  base::Status failure_;
};

}  // namespace racewatch::ingest
