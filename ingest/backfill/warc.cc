#include "ingest/backfill/warc.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/gunzip.h"

namespace racewatch::ingest {
namespace {

using feed::EqualsIgnoreCase;
using feed::Trim;

// Calls `on_field` for each "Name: value" line.
template <typename OnField>
void ForEachField(std::string_view header, const OnField& on_field) {
  while (!header.empty()) {
    const size_t end = std::min(header.find('\n'), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) on_field(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
}

// RFC 9112 §7.1. Chunks up to the first that is damaged; servers and archives break them now and then.
std::string JoinChunks(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    size_t size = 0;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), size, 16);
    const size_t line = body.find('\n');
    if (error != std::errc() || end == body.data() || line == std::string_view::npos || size == 0) break;
    body.remove_prefix(line + 1);
    size = std::min(size, body.size());
    out.append(body.substr(0, size));
    body.remove_prefix(size);
    while (!body.empty() && (body.front() == '\r' || body.front() == '\n')) body.remove_prefix(1);
  }
  return out;
}

}  // namespace

base::Result<bool> WarcReader::More() {
  RW_ASSIGN_OR_RETURN(const std::string_view piece, input_.Read());
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(piece);
  return !piece.empty();
}

// Up to the empty line; false at the end of the file.
base::Result<bool> WarcReader::ReadHeader(std::string* header) {
  for (;;) {
    while (at_ < buffer_.size() && (buffer_[at_] == '\r' || buffer_[at_] == '\n')) ++at_;
    size_t end = buffer_.find("\r\n\r\n", at_);
    size_t skip = 4;
    if (const size_t bare = buffer_.find("\n\n", at_); bare < end) end = bare, skip = 2;
    if (end != std::string::npos) {
      header->assign(buffer_, at_, end - at_);
      at_ = end + skip;
      return true;
    }
    if (buffer_.size() - at_ > kHeaderBytesMax) return base::DataLoss("WARC: a record header without end");
    RW_ASSIGN_OR_RETURN(const bool more, More());
    if (more) continue;
    if (at_ == buffer_.size()) return false;
    return base::DataLoss("WARC: cut in the middle of a record header");
  }
}

base::Status WarcReader::ReadBlock(uint64_t length, WarcRecord* record) {
  for (uint64_t left = length; left > 0;) {
    if (at_ == buffer_.size()) {
      RW_ASSIGN_OR_RETURN(const bool more, More());
      if (!more) return base::DataLoss("WARC: cut in mid-record, " + std::to_string(left) + " bytes of " + record->target + " are missing");
    }
    const size_t n = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size() - at_));
    const size_t room = kBodyBytesMax - record->block.size();
    record->block.append(buffer_, at_, std::min(n, room));
    record->cut = record->cut || n > room;
    at_ += n;
    left -= n;
  }
  return {};
}

base::Result<bool> WarcReader::Next(WarcRecord* record) {
  *record = {};
  std::string header;
  RW_ASSIGN_OR_RETURN(const bool more, ReadHeader(&header));
  if (!more) return false;
  if (!header.starts_with("WARC/")) return base::DataLoss("WARC: no record where one should begin");
  uint64_t length = 0;
  bool has_length = false;
  ForEachField(header, [&](std::string_view name, std::string_view value) {
    if (EqualsIgnoreCase(name, "WARC-Type")) record->type = value;
    if (EqualsIgnoreCase(name, "WARC-Date")) record->date = value;
    if (EqualsIgnoreCase(name, "Content-Type")) record->content_type = value;
    if (EqualsIgnoreCase(name, "WARC-Target-URI")) {
      if (value.starts_with('<') && value.ends_with('>')) value = value.substr(1, value.size() - 2);
      record->target = value;
    }
    if (EqualsIgnoreCase(name, "Content-Length"))
      has_length = std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc();
  });
  if (!has_length) return base::DataLoss("WARC: a record without Content-Length");
  RW_RETURN_IF_ERROR(ReadBlock(length, record));
  return true;
}

base::Result<ArchivedResponse> ReadArchivedResponse(std::string_view block) {
  if (!block.starts_with("HTTP/")) return base::InvalidArgument("no HTTP response");
  ArchivedResponse out;
  const size_t space = block.find(' ');
  if (space == std::string_view::npos || std::from_chars(block.data() + space + 1, block.data() + block.size(), out.status).ec != std::errc())
    return base::InvalidArgument("no HTTP status");
  size_t end = block.find("\r\n\r\n");
  size_t skip = 4;
  if (const size_t bare = block.find("\n\n"); bare < end) end = bare, skip = 2;
  if (end == std::string_view::npos) return base::InvalidArgument("HTTP headers without end");
  std::string encoding, transfer;
  ForEachField(block.substr(0, end), [&](std::string_view name, std::string_view value) {
    if (EqualsIgnoreCase(name, "Content-Type")) out.content_type = value;
    if (EqualsIgnoreCase(name, "Content-Encoding")) encoding = value;
    if (EqualsIgnoreCase(name, "Transfer-Encoding")) transfer = value;
  });
  out.body = block.substr(end + skip);
  // Many archives keep the headers but store the body as it was read: believe the bytes.
  if (EqualsIgnoreCase(transfer, "chunked"))
    if (std::string joined = JoinChunks(out.body); !joined.empty()) out.body = std::move(joined);
  if (!encoding.empty() && feed::IsGzip(out.body)) {
    bool cut = false;
    RW_ASSIGN_OR_RETURN(out.body, feed::Gunzip(std::string(out.body), WarcReader::kBodyBytesMax, &cut));
  }
  return out;
}

}  // namespace racewatch::ingest
