// Records of a WARC file (ISO 28500), and what an HTTP response in one holds. A record that the end of the file cuts is
// an error, never half a record. One thread; at most kBodyBytesMax of a record are kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ingest/backfill/input_stream.h"

namespace racewatch::ingest {

struct WarcRecord {
  std::string type;    // response, resource, conversion, request, …
  std::string target;  // WARC-Target-URI
  std::string date;    // WARC-Date
  std::string content_type;
  std::string block;
  bool cut = false;  // longer than kBodyBytesMax; the rest was passed over
};

class WarcReader {
 public:
  static constexpr size_t kBodyBytesMax = size_t{10} << 20;
  static constexpr size_t kHeaderBytesMax = size_t{64} << 10;

  explicit WarcReader(InputStream& input) : input_(input) {}

  // False at the end. DATA_LOSS: cut in mid-record, or no WARC from here on.
  base::Result<bool> Next(WarcRecord* record);

 private:
  base::Result<bool> More();
  base::Result<bool> ReadHeader(std::string* header);
  base::Status ReadBlock(uint64_t length, WarcRecord* record);

  InputStream& input_;
  std::string buffer_;
  size_t at_ = 0;
};

// An HTTP response as archived: status, content type, body with chunks joined and gzip unpacked.
struct ArchivedResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};
// INVALID_ARGUMENT when `block` is no HTTP response or its body cannot be unpacked.
base::Result<ArchivedResponse> ReadArchivedResponse(std::string_view block);

}  // namespace racewatch::ingest
