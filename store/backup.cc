#include "store/backup.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <utility>

#include "store/codec.h"
#include "store/migrations.h"

namespace racewatch::store {
namespace {

constexpr std::string_view kHeader = "racewatch-backup 1\n";
constexpr size_t kBlockBytes = 1u << 20;        // of rows, before compression
constexpr size_t kBlockBytesMax = 64u << 20;    // refused when a file claims more
constexpr size_t kBlockHeadBytes = 12;          // size, checksum
constexpr char kRestoringKey[] = "restoring";
constexpr auto kTablesEnd = static_cast<uint8_t>(kLastTable) + 1;

std::string Block(const std::string& rows) {
  std::string packed(ZSTD_compressBound(rows.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), rows.data(), rows.size(), 1));
  std::string out;
  AppendBig(&out, static_cast<uint32_t>(packed.size()));
  AppendBig(&out, static_cast<uint64_t>(XXH3_64bits(packed.data(), packed.size())));
  return out + packed;
}

std::string LastBlock(uint64_t rows) {
  std::string out;
  AppendBig(&out, uint32_t{0});
  AppendBig(&out, rows);
  return out;
}

base::Status Damaged(const std::string& why) { return base::InvalidArgument("backup: " + why); }

base::Result<std::string> Exactly(const BackupRead& read, size_t size) {
  std::string bytes;
  RW_RETURN_IF_ERROR(read(size, &bytes));
  if (bytes.size() != size) return Damaged("cut off");
  return bytes;
}

base::Result<std::string> Unpack(const std::string& packed, uint64_t checksum) {
  if (XXH3_64bits(packed.data(), packed.size()) != checksum) return Damaged("a block is damaged");
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size > kBlockBytesMax) return Damaged("a block is damaged");
  std::string rows(size, '\0');
  if (ZSTD_decompress(rows.data(), rows.size(), packed.data(), packed.size()) != size) return Damaged("a block is damaged");
  return rows;
}

bool IsSchema(Table table, std::string_view key) { return table == Table::kMeta && key == "schema"; }

base::Result<uint64_t> PutRows(const std::string& rows, Engine& engine) {
  Batch batch;
  uint64_t count = 0;
  for (Reader in(rows); !in.done(); ++count) {
    const auto table = in.Big<uint8_t>();
    const std::string_view key = in.Text(), value = in.Text();
    if (!in.ok() || table == 0 || table >= kTablesEnd) return Damaged("a row is damaged");
    if (IsSchema(static_cast<Table>(table), key) && Reader(value).Varint() > kSchemaVersion) return Damaged("written by a newer racewatch");
    batch.Put(static_cast<Table>(table), std::string(key), std::string(value));
  }
  RW_RETURN_IF_ERROR(engine.Commit(batch));
  return count;
}

base::Status CheckEmpty(const View& view) {
  bool found = false;
  for (const Table table : {Table::kArticle, Table::kPosition, Table::kWindow})
    RW_RETURN_IF_ERROR(view.Scan(table, "", "", false, [&](auto, auto) { return !(found = true); }));
  return found ? base::FailedPrecondition("restore: the state is not empty") : base::Status();
}

}  // namespace

struct BackupWriter::Impl {
  std::unique_ptr<View> view;
  bool begun = false;
  bool done = false;
  uint8_t table = 1;
  std::string from;  // next key of the table
  uint64_t rows = 0;
};

BackupWriter::BackupWriter(const Engine& engine) : impl_(std::make_unique<Impl>()) { impl_->view = engine.whole().Snapshot(); }
BackupWriter::~BackupWriter() = default;

base::Result<std::string> BackupWriter::Next() {
  Impl& impl = *impl_;
  if (!std::exchange(impl.begun, true)) return std::string(kHeader);
  std::string rows;
  for (; impl.table < kTablesEnd && rows.size() < kBlockBytes; ) {
    bool more = false;
    RW_RETURN_IF_ERROR(impl.view->Scan(static_cast<Table>(impl.table), impl.from, "", false, [&](std::string_view key, std::string_view value) {
      if (rows.size() >= kBlockBytes) return more = true, false;
      rows.push_back(static_cast<char>(impl.table));
      AppendText(&rows, key);
      AppendText(&rows, value);
      impl.from = std::string(key) + '\0';
      ++impl.rows;
      return true;
    }));
    if (more) break;
    ++impl.table;
    impl.from.clear();
  }
  if (!rows.empty()) return Block(rows);
  if (std::exchange(impl.done, true)) return std::string();
  return LastBlock(impl.rows);
}

base::Result<uint64_t> RestoreBackup(const BackupRead& read, Engine& engine) {
  RW_RETURN_IF_ERROR(CheckEmpty(engine));
  RW_ASSIGN_OR_RETURN(const std::string header, Exactly(read, kHeader.size()));
  if (header != kHeader) return Damaged("this is none");
  Batch mark;
  mark.Put(Table::kMeta, kRestoringKey, "1");
  RW_RETURN_IF_ERROR(engine.Commit(mark));
  for (uint64_t rows = 0;;) {
    RW_ASSIGN_OR_RETURN(const std::string head, Exactly(read, kBlockHeadBytes));
    Reader in(head);
    const auto size = in.Big<uint32_t>();
    const auto checksum = in.Big<uint64_t>();
    if (size == 0) {
      if (checksum != rows) return Damaged("rows are missing");
      RW_RETURN_IF_ERROR(Migrate(engine));
      mark.Clear();
      mark.Delete(Table::kMeta, kRestoringKey);
      RW_RETURN_IF_ERROR(engine.Commit(mark));
      return rows;
    }
    if (size > kBlockBytesMax) return Damaged("a block is damaged");
    RW_ASSIGN_OR_RETURN(const std::string packed, Exactly(read, size));
    RW_ASSIGN_OR_RETURN(const std::string unpacked, Unpack(packed, checksum));
    RW_ASSIGN_OR_RETURN(const uint64_t put, PutRows(unpacked, engine));
    rows += put;
  }
}

base::Status CheckRestored(const View& view) {
  RW_ASSIGN_OR_RETURN(const auto mark, view.Get(Table::kMeta, kRestoringKey));
  return mark ? base::FailedPrecondition("a restore into this state did not finish: empty it and restore again") : base::Status();
}

}  // namespace racewatch::store
