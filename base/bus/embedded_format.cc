#include "base/bus/embedded_format.h"

#include <utility>

namespace racewatch::base {

namespace {

constexpr char kFormat = 1;  // first byte of every record
constexpr char kTombstoneFlag = 1;
constexpr size_t kHeadersMax = 1000;

void PutFixed(uint64_t value, int bytes, std::string* out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out->push_back(static_cast<char>(value >> shift));
}

uint64_t GetFixed(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void PutVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void PutString(std::string_view text, std::string* out) {
  PutVarint(text.size(), out);
  out->append(text);
}

// Takes pieces off the front of some bytes; once something is missing, ok() stays false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

  std::string_view Bytes(uint64_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint64_t Fixed(size_t count) {
    const std::string_view bytes = Bytes(count);
    return ok_ ? GetFixed(bytes, 0, count) : 0;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; ok_ && shift < 63; shift += 7) {
      const uint64_t byte = Fixed(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string String() { return std::string(Bytes(Varint())); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string PartitionPrefix(uint32_t topic_id, int32_t partition) {
  std::string key;
  key.reserve(24);
  PutFixed(topic_id, 4, &key);
  PutFixed(static_cast<uint32_t>(partition), 4, &key);
  return key;
}

std::string RecordKey(uint32_t topic_id, int32_t partition, int64_t offset) {
  std::string key = PartitionPrefix(topic_id, partition);
  PutFixed(static_cast<uint64_t>(offset), 8, &key);
  return key;
}

int64_t OffsetOfRecordKey(std::string_view key) {
  return key.size() == 16 ? static_cast<int64_t>(GetFixed(key, 8, 8)) : -1;
}

std::string IndexKey(uint32_t topic_id, int32_t partition, uint64_t key_hash, int64_t offset) {
  std::string key = PartitionPrefix(topic_id, partition);
  PutFixed(key_hash, 8, &key);
  PutFixed(static_cast<uint64_t>(offset), 8, &key);
  return key;
}

std::string EncodeIndexValue(int64_t timestamp_ms, bool tombstone) {
  std::string value = EncodeInt(timestamp_ms);
  value.push_back(tombstone ? kTombstoneFlag : 0);
  return value;
}

Result<IndexEntry> DecodeIndexEntry(std::string_view key, std::string_view value) {
  if (key.size() != 24 || value.size() != 9) return DataLoss("index entry has a wrong size");
  return IndexEntry{GetFixed(key, 8, 8), static_cast<int64_t>(GetFixed(key, 16, 8)),
                    static_cast<int64_t>(GetFixed(value, 0, 8)), value[8] == kTombstoneFlag};
}

std::string EncodeRecord(const Record& record) {
  std::string out;
  out.reserve(record.ByteSize());
  out.push_back(kFormat);
  out.push_back(record.tombstone ? kTombstoneFlag : 0);
  PutFixed(static_cast<uint64_t>(record.timestamp_ms), 8, &out);
  PutString(record.key, &out);
  PutVarint(record.headers.size(), &out);
  for (const Header& header : record.headers) {
    PutString(header.name, &out);
    PutString(header.value, &out);
  }
  if (!record.tombstone) out.append(record.value);
  return out;
}

Status DecodeRecord(std::string_view bytes, Record* record) {
  Reader reader(bytes);
  const uint64_t format = reader.Fixed(1);
  const uint64_t flags = reader.Fixed(1);
  record->timestamp_ms = static_cast<int64_t>(reader.Fixed(8));
  record->key = reader.String();
  const uint64_t headers = reader.Varint();
  if (!reader.ok() || format != kFormat || headers > kHeadersMax)
    return DataLoss("bytes are no record of this log");
  record->tombstone = (flags & kTombstoneFlag) != 0;
  record->headers.resize(headers);
  for (Header& header : record->headers) {
    header.name = reader.String();
    header.value = reader.String();
  }
  if (!reader.ok()) return DataLoss("record ends inside its headers");
  record->value = std::string(reader.rest());
  return Status::Ok();
}

std::string EncodeInt(int64_t value) {
  std::string out;
  PutFixed(static_cast<uint64_t>(value), 8, &out);
  return out;
}

Result<int64_t> DecodeInt(std::string_view bytes) {
  if (bytes.size() != 8) return DataLoss("number has a wrong size");
  return static_cast<int64_t>(GetFixed(bytes, 0, 8));
}

}  // namespace racewatch::base
