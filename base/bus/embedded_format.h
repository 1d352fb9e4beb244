// How the embedded log writes its keys and records: big-endian keys, so that RocksDB's byte order
// is the log's order. Pure functions, no threads. Damaged bytes give an error, never a crash:
// whatever passes RocksDB's checksums is still checked for its bounds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bus/record.h"
#include "base/status.h"

namespace racewatch::base {

// topic id, partition, offset: 16 bytes.
std::string RecordKey(uint32_t topic_id, int32_t partition, int64_t offset);
int64_t OffsetOfRecordKey(std::string_view key);
// The first 8 bytes of the keys of a partition.
std::string PartitionPrefix(uint32_t topic_id, int32_t partition);

// topic id, partition, hash of the record's key, offset: 24 bytes. Records of one key are
// neighbours, which is what compaction needs.
std::string IndexKey(uint32_t topic_id, int32_t partition, uint64_t key_hash, int64_t offset);

struct IndexEntry {
  uint64_t key_hash = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  bool tombstone = false;
};
std::string EncodeIndexValue(int64_t timestamp_ms, bool tombstone);
Result<IndexEntry> DecodeIndexEntry(std::string_view key, std::string_view value);

// Everything of a record but its place.
std::string EncodeRecord(const Record& record);
// DATA_LOSS when the bytes are no record. Leaves topic, partition and offset alone.
Status DecodeRecord(std::string_view bytes, Record* record);

std::string EncodeInt(int64_t value);  // 8 bytes
Result<int64_t> DecodeInt(std::string_view bytes);

}  // namespace racewatch::base
