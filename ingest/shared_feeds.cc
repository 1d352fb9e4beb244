#include "ingest/shared_feeds.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/bus/topics.h"
#include "base/http_client.h"
#include "ingest/url.h"

namespace racewatch::ingest {

SharedFeeds::SharedFeeds(SeenSet& seen, base::Sink& sink, const base::Clock& clock, IngestMetrics& metrics, base::Log& log,
                         std::function<void()> wake, Hooks hooks)
    : seen_(seen),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      hooks_(std::move(hooks)),
      share_(log, wake),
      outbox_(sink, metrics.stage(), log, wake) {}

SharedFeeds::~SharedFeeds() = default;

base::Status SharedFeeds::Start() {
  RW_ASSIGN_OR_RETURN(positions_, seen_.Positions());
  FeedShare::Positions from;
  from.cluster_id = positions_.cluster_id();
  for (const auto& [partition, next] : positions_.next()) from.next[partition] = next;
  share_.Start(std::move(from));
  return {};
}

void SharedFeeds::Stop() {
  share_.Stop();
  owned_.clear();
  releasing_.clear();
  taking_.clear();
}

base::Status SharedFeeds::Step() {
  for (FeedShare::Event& event : share_.Take()) {
    switch (event.kind) {
      case FeedShare::Event::Kind::kRows: RW_RETURN_IF_ERROR(OnRows(event.rows)); break;
      case FeedShare::Event::Kind::kAssigned: OnAssigned(event.until); break;
      case FeedShare::Event::Kind::kRevoked: OnRevoked(event.partitions, event.lost); break;
    }
  }
  for (const Outbox::Finished& finished : outbox_.Poll()) {
    const auto node = claims_.extract(finished.ticket);
    if (!node.empty()) hooks_.claimed(node.mapped());
  }
  FinishTaking();
  FinishReleasing();
  return share_.fatal();
}

base::Status SharedFeeds::OnRows(const std::vector<base::Record>& records) {
  const std::string cluster = share_.cluster_id();
  if (positions_.cluster_id() != cluster) positions_.mutable_next()->clear();
  positions_.set_cluster_id(cluster);
  std::vector<SeenRow> rows;
  rows.reserve(records.size());
  for (const base::Record& record : records) {
    (*positions_.mutable_next())[record.partition] = record.offset + 1;
    if (!record.tombstone) rows.push_back({record.key, record.value});
  }
  RW_ASSIGN_OR_RETURN(const SeenMerge merge, seen_.Merge(rows, positions_, DayOf(clock_.NowMs())));
  metrics_.SharedRows("taken", merge.taken);
  metrics_.SharedRows("known", merge.known);
  metrics_.SharedRows("bad", merge.bad);
  if (merge.bad > 0) log_.RateLimited(base::LogLevel::kWarn, "shared_row_unreadable", {{"rows", static_cast<uint64_t>(merge.bad)}});
  for (const v1::FeedState& state : merge.feeds) hooks_.state(state);
  for (const v1::ListedFeed& listed : merge.listed) hooks_.listed(listed);
  return {};
}

void SharedFeeds::OnAssigned(const std::map<int32_t, int64_t>& until) {
  for (const auto& [partition, end] : until) {
    releasing_.erase(partition);
    taking_[partition] = end;
  }
}

void SharedFeeds::OnRevoked(const std::vector<int32_t>& partitions, bool lost) {
  for (const int32_t partition : partitions) {
    taking_.erase(partition);
    if (owned_.erase(partition) > 0 && !lost) releasing_.insert(partition);
    if (lost) releasing_.erase(partition);
  }
  hooks_.assignment_changed();
  if (!lost && releasing_.empty()) share_.Released();
}

void SharedFeeds::FinishTaking() {
  if (taking_.empty() || share_.cluster_id().empty()) return;
  if (positions_.cluster_id() != share_.cluster_id()) {  // what was read elsewhere says nothing about this log
    positions_.mutable_next()->clear();
    positions_.set_cluster_id(share_.cluster_id());
  }
  bool changed = false;
  for (auto it = taking_.begin(); it != taking_.end();) {
    const auto next = positions_.next().find(it->first);
    const bool read = it->second < 0 || (next != positions_.next().end() && next->second >= it->second);
    if (!read) {
      ++it;
      continue;
    }
    owned_.insert(it->first);
    it = taking_.erase(it);
    changed = true;
  }
  if (changed) hooks_.assignment_changed();
}

// What was on its way for a partition that goes has ended, and its rows are in the log.
void SharedFeeds::FinishReleasing() {
  if (releasing_.empty() || outbox_.in_flight() > 0) return;
  if (std::any_of(releasing_.begin(), releasing_.end(), [this](int32_t partition) { return hooks_.in_use(partition); })) return;
  releasing_.clear();
  hooks_.assignment_changed();
  share_.Released();
}

uint64_t SharedFeeds::KeyOf(const FeedSpec& spec) {
  if (!spec.found_in.empty()) {  // only the process that reads an index or a folder knows what it leads to
    FeedSpec listed;
    listed.id = listed.url = spec.found_in;
    return KeyOf(listed);
  }
  std::string key = spec.id;
  if (!spec.is_file() && !base::IsLoopbackUrl(spec.url)) {
    const std::string host = UrlHost(spec.url);
    const std::string name = host.substr(0, host.find(':'));
    const std::string domain = RegistrableDomain(name);
    key = domain.empty() ? name : domain;
  }
  return XXH3_64bits(key.data(), key.size());
}

int32_t SharedFeeds::PartitionOf(uint64_t key) const {
  const int32_t count = share_.partitions();
  return count > 0 ? static_cast<int32_t>(key % static_cast<uint64_t>(count)) : -1;
}

void SharedFeeds::Send(int32_t partition, SeenRow row, uint64_t ticket) {
  base::Record record;
  record.topic = base::kFeedsTopic;
  record.partition = partition;
  record.key = std::move(row.key);
  record.value = std::move(row.value);
  record.headers = {{"schema", "racewatch.ingest.SeenRow"}};
  outbox_.Send(ticket, std::move(record));
}

void SharedFeeds::Claim(uint64_t feed, int32_t partition, const v1::FeedState& state) {
  SeenUpdate update;
  update.feed = &state;
  const uint64_t ticket = next_ticket_++;
  claims_.emplace(ticket, feed);
  for (SeenRow& row : SeenSet::RowsOf(update, 0)) Send(partition, std::move(row), ticket);
}

void SharedFeeds::Publish(int32_t partition, const SeenUpdate& update) {
  if (partition < 0) return;
  for (SeenRow& row : SeenSet::RowsOf(update, DayOf(clock_.NowMs()))) Send(partition, std::move(row), next_ticket_++);
}

}  // namespace racewatch::ingest
