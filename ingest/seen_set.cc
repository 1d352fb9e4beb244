#include "ingest/seen_set.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <tuple>
#include <unordered_set>

namespace racewatch::ingest {
namespace {

constexpr char kAliasPrefix = 'a';
constexpr char kArticlePrefix = 's';
constexpr char kFeedPrefix = 'f';
constexpr char kListedPrefix = 'l';
constexpr char kPositionsKey[] = "p";
constexpr size_t kAliasBytes = 20;  // id and day
constexpr char kTakenDownPrefix = 't';

std::string Key(char prefix, const ArticleId& id) {
  const auto bytes = id.ToBytes();
  std::string key(1, prefix);
  key.append(bytes.data(), bytes.size());
  return key;
}

base::Status FromRocks(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  const auto code = status.IsCorruption() ? base::Code::kDataLoss : base::Code::kInternal;
  return {code, what + ": " + status.ToString()};
}

// Forgets marks that nobody has shown us for `keep_days`. Feed rows stay: no feed is dropped for good.
class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(int32_t keep_days) : keep_days_(keep_days) {}
  const char* Name() const override { return "racewatch.seen"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*, bool*) const override {
    const int32_t today = today_.load(std::memory_order_relaxed);
    if (today == 0 || key.empty()) return false;
    int32_t day = today;
    if (key[0] == kAliasPrefix && value.size() == 20) {
      std::memcpy(&day, value.data() + 16, 4);
    } else if (key[0] == kArticlePrefix) {
      v1::SeenArticle article;
      if (article.ParseFromArray(value.data(), static_cast<int>(value.size()))) day = article.last_seen_day();
    }
    return day < today - keep_days_;
  }
  void SetToday(int32_t today) { today_.store(today, std::memory_order_relaxed); }

 private:
  const int32_t keep_days_;
  std::atomic<int32_t> today_{0};
};

rocksdb::Options DbOptions(const ExpiryFilter* filter) {
  rocksdb::BlockBasedTableOptions table;
  // One shard: the loop thread is nearly alone here, and of several none could hold a large block.
  table.block_cache = rocksdb::NewLRUCache(16u << 20, 0);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // most look-ups of new articles miss
  // In parts: the whole filter of a file outgrows the cache and would be read and checked at every look-up.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 16u << 10;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = 8u << 20;
  options.max_write_buffer_number = 2;
  options.max_open_files = 64;
  options.max_total_wal_size = 32u << 20;
  options.keep_log_file_num = 2;
  options.max_background_jobs = 2;
  options.compaction_filter = filter;
  options.periodic_compaction_seconds = 7 * 86'400;  // so that marks expire in quiet files too
  options.info_log_level = rocksdb::WARN_LEVEL;
  return options;
}

}  // namespace

struct SeenSet::Impl {
  explicit Impl(int32_t keep_days) : filter(keep_days) {}
  ExpiryFilter filter;  // outlives the database
  mutable std::mutex mutex;  // guards what follows
  std::unordered_set<ArticleId> taken_down;
  std::unique_ptr<rocksdb::DB> db;
};

SeenSet::SeenSet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SeenSet::~SeenSet() = default;

base::Result<std::unique_ptr<SeenSet>> SeenSet::Open(const std::string& folder, int32_t keep_days) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return base::Status(base::Code::kPermissionDenied, "state folder " + folder + ": " + error.message());
  auto impl = std::make_unique<Impl>(keep_days);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DbOptions(&impl->filter), folder, &db);
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos)
    return base::Status(base::Code::kPermissionDenied, "state folder " + folder + ": in use by another process");
  RW_RETURN_IF_ERROR(FromRocks(status, "state folder " + folder));
  impl->db.reset(db);
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  for (it->Seek(std::string(1, kTakenDownPrefix)); it->Valid() && it->key()[0] == kTakenDownPrefix; it->Next())
    impl->taken_down.insert(ArticleId::FromBytes(std::string_view(it->key().data() + 1, it->key().size() - 1)));
  RW_RETURN_IF_ERROR(FromRocks(it->status(), "seen-set: reading takedowns"));
  return std::unique_ptr<SeenSet>(new SeenSet(std::move(impl)));
}

base::Result<std::optional<ArticleId>> SeenSet::FindAlias(const ArticleId& key) {
  std::string value;
  const auto status = impl_->db->Get({}, Key(kAliasPrefix, key), &value);
  if (status.IsNotFound()) return std::optional<ArticleId>();
  RW_RETURN_IF_ERROR(FromRocks(status, "seen-set look-up"));
  return std::optional(ArticleId::FromBytes(value));
}

base::Result<std::optional<v1::SeenArticle>> SeenSet::Find(const ArticleId& id) {
  std::string value;
  const auto status = impl_->db->Get({}, Key(kArticlePrefix, id), &value);
  if (status.IsNotFound()) return std::optional<v1::SeenArticle>();
  RW_RETURN_IF_ERROR(FromRocks(status, "seen-set look-up"));
  v1::SeenArticle article;
  if (!article.ParseFromString(value)) return base::DataLoss("seen-set: row of article " + id.ToHex() + " is damaged");
  return std::optional(std::move(article));
}

base::Result<std::vector<v1::FeedState>> SeenSet::Feeds() {
  std::vector<v1::FeedState> feeds;
  std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator({}));
  for (it->Seek(std::string(1, kFeedPrefix)); it->Valid() && it->key()[0] == kFeedPrefix; it->Next()) {
    v1::FeedState feed;
    // A damaged row costs one unconditional fetch, not the start.
    if (feed.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) feeds.push_back(std::move(feed));
  }
  RW_RETURN_IF_ERROR(FromRocks(it->status(), "seen-set: reading feeds"));
  return feeds;
}

base::Result<std::vector<v1::ListedFeed>> SeenSet::Listed() {
  std::vector<v1::ListedFeed> listed;
  std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator({}));
  for (it->Seek(std::string(1, kListedPrefix)); it->Valid() && it->key()[0] == kListedPrefix; it->Next()) {
    v1::ListedFeed feed;
    if (feed.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) listed.push_back(std::move(feed));
  }
  RW_RETURN_IF_ERROR(FromRocks(it->status(), "seen-set: reading the feed list"));
  return listed;
}

std::vector<SeenRow> SeenSet::RowsOf(const SeenUpdate& update, int32_t today) {
  std::vector<SeenRow> rows;
  rows.reserve(update.aliases.size() + update.marks.size() + 2);
  for (const auto& [alias, id] : update.aliases) {
    const auto bytes = id.ToBytes();
    std::string value(bytes.data(), bytes.size());
    value.append(reinterpret_cast<const char*>(&today), 4);
    rows.push_back({Key(kAliasPrefix, alias), std::move(value)});
  }
  for (const auto& mark : update.marks) rows.push_back({Key(kArticlePrefix, mark.id), mark.article.SerializeAsString()});
  if (update.listed != nullptr) rows.push_back({kListedPrefix + update.listed->url(), update.listed->SerializeAsString()});
  if (update.feed != nullptr) rows.push_back({kFeedPrefix + update.feed->feed_id(), update.feed->SerializeAsString()});
  return rows;
}

base::Status SeenSet::Commit(const SeenUpdate& update, int32_t today) {
  impl_->filter.SetToday(today);
  rocksdb::WriteBatch batch;
  for (const SeenRow& row : RowsOf(update, today)) batch.Put(row.key, row.value);
  return FromRocks(impl_->db->Write({}, &batch), "seen-set commit");
}

base::Status SeenSet::TakeDown(const ArticleId& id) {
  rocksdb::WriteOptions durable;
  durable.sync = true;
  RW_RETURN_IF_ERROR(FromRocks(impl_->db->Put(durable, Key(kTakenDownPrefix, id), ""), "seen-set takedown"));
  const std::scoped_lock lock(impl_->mutex);
  impl_->taken_down.insert(id);
  return {};
}

bool SeenSet::IsTakenDown(const ArticleId& id) const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->taken_down.contains(id);
}

base::Status SeenSet::Sync() { return FromRocks(impl_->db->SyncWAL(), "seen-set sync"); }

base::Status SeenSet::Compact() {
  return FromRocks(impl_->db->CompactRange({}, nullptr, nullptr), "seen-set compaction");
}

base::Result<v1::SharedPositions> SeenSet::Positions() {
  v1::SharedPositions positions;
  std::string value;
  const auto status = impl_->db->Get({}, kPositionsKey, &value);
  if (status.IsNotFound() || (status.ok() && !positions.ParseFromString(value))) return v1::SharedPositions();
  RW_RETURN_IF_ERROR(FromRocks(status, "seen-set look-up"));
  return positions;
}

namespace {

// Greater wins, as in the store.
bool Outranks(const v1::SeenArticle& a, const v1::SeenArticle& b) {
  return std::make_tuple(static_cast<int>(a.body_quality()), a.revision_at_ms(), a.content_hash()) >
         std::make_tuple(static_cast<int>(b.body_quality()), b.revision_at_ms(), b.content_hash());
}

std::optional<std::string> MergedAlias(const std::string& theirs, const std::optional<std::string>& ours, bool* bad) {
  *bad = theirs.size() != kAliasBytes;
  if (*bad) return std::nullopt;
  if (!ours || ours->size() != kAliasBytes) return theirs;
  int32_t their_day = 0, our_day = 0;
  std::memcpy(&their_day, theirs.data() + 16, 4);
  std::memcpy(&our_day, ours->data() + 16, 4);
  if (their_day <= our_day) return std::nullopt;
  return ours->substr(0, 16) + theirs.substr(16);
}

std::optional<std::string> MergedMark(const std::string& theirs, const std::optional<std::string>& ours, bool* bad) {
  v1::SeenArticle a, b;
  *bad = !a.ParseFromString(theirs);
  if (*bad) return std::nullopt;
  if (!ours || !b.ParseFromString(*ours)) return theirs;
  const int32_t day = std::max(a.last_seen_day(), b.last_seen_day());
  const bool better = Outranks(a, b);
  if (!better && day == b.last_seen_day()) return std::nullopt;
  v1::SeenArticle& winner = better ? a : b;
  winner.set_last_seen_day(day);
  if (winner.first_fetched_ms() > std::min(a.first_fetched_ms(), b.first_fetched_ms()))
    winner.set_first_fetched_ms(std::min(a.first_fetched_ms(), b.first_fetched_ms()));
  return winner.SerializeAsString();
}

}  // namespace

std::optional<std::string> SeenSet::Merged(const SeenRow& row, SeenMerge* merge) {
  std::string value;
  std::optional<std::string> ours;
  if (impl_->db->Get({}, row.key, &value).ok()) ours = std::move(value);
  bool bad = false;
  std::optional<std::string> out;
  const char prefix = row.key.empty() ? '\0' : row.key[0];
  if (prefix == kAliasPrefix && row.key.size() == 17) {
    out = MergedAlias(row.value, ours, &bad);
  } else if (prefix == kArticlePrefix && row.key.size() == 17) {
    out = MergedMark(row.value, ours, &bad);
  } else if (prefix == kFeedPrefix) {
    v1::FeedState theirs, own;
    bad = !theirs.ParseFromString(row.value) || row.key.compare(1, std::string::npos, theirs.feed_id()) != 0;
    const bool newer = !bad && (!ours || !own.ParseFromString(*ours) || theirs.version() > own.version());
    if (newer) merge->feeds.push_back(std::move(theirs));
    if (newer) out = row.value;
  } else if (prefix == kListedPrefix) {
    v1::ListedFeed theirs, own;
    bad = !theirs.ParseFromString(row.value) || row.key.compare(1, std::string::npos, theirs.url()) != 0;
    const bool newer = !bad && (!ours || !own.ParseFromString(*ours) || theirs.changed_ms() > own.changed_ms());
    if (newer) merge->listed.push_back(std::move(theirs));
    if (newer) out = row.value;
  } else {
    bad = true;
  }
  ++(bad ? merge->bad : out ? merge->taken : merge->known);
  return out;
}

base::Result<SeenMerge> SeenSet::Merge(const std::vector<SeenRow>& rows, const v1::SharedPositions& positions, int32_t today) {
  impl_->filter.SetToday(today);
  SeenMerge merge;
  // One write each: a row may come twice in one poll, and the look-up must see the change before.
  for (const SeenRow& row : rows) {
    const std::optional<std::string> value = Merged(row, &merge);
    if (value) RW_RETURN_IF_ERROR(FromRocks(impl_->db->Put({}, row.key, *value), "seen-set merge"));
  }
  // Last: if it is lost in a crash, the rows come again and are known.
  RW_RETURN_IF_ERROR(FromRocks(impl_->db->Put({}, kPositionsKey, positions.SerializeAsString()), "seen-set merge"));
  return merge;
}

}  // namespace racewatch::ingest
