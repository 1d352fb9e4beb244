#include "base/bus/kafka_source.h"

#include <algorithm>
#include <utility>

#include "base/bus/kafka_client.h"
#include "base/bus/kafka_statistics.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {

namespace {

using std::chrono::milliseconds;

constexpr int kAskMs = 5000;  // one question to a broker
constexpr int kCommitMs = 10000;
constexpr auto kClosePatience = std::chrono::seconds(10);
// What a paused partition may hold before librdkafka is told to stop fetching: telling it throws
// away what it has fetched, so a short pause must not.
constexpr size_t kHeldBytesMax = 2u << 20;

KafkaPartitions ToList(const std::vector<TopicPartition>& partitions) {
  KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& where : partitions)
    rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition);
  return list;
}

KafkaPartitions ToList(const std::map<TopicPartition, int64_t>& positions) {
  KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const auto& [where, offset] : positions)
    rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition)->offset =
        offset;
  return list;
}

std::vector<TopicPartition> FromList(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  for (int i = 0; i < list->cnt; ++i)
    partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  return partitions;
}

TopicPartition Where(const rd_kafka_message_t& message) {
  return {message.rkt ? rd_kafka_topic_name(message.rkt) : "", message.partition};
}

Record ToRecord(const rd_kafka_message_t& message) {
  Record record;
  record.topic = rd_kafka_topic_name(message.rkt);
  record.partition = message.partition;
  record.offset = message.offset;
  record.timestamp_ms = std::max<int64_t>(0, rd_kafka_message_timestamp(&message, nullptr));
  record.key.assign(static_cast<const char*>(message.key), message.key ? message.key_len : 0);
  record.value.assign(static_cast<const char*>(message.payload), message.payload ? message.len : 0);
  record.tombstone = message.payload == nullptr;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    record.headers.push_back(
        {name, std::string(static_cast<const char*>(value), value ? size : 0)});
  return record;
}

}  // namespace

struct KafkaSource::Client {
  KafkaHandle handle;
  KafkaQueue queue;
  rd_kafka_t* get() const { return handle.get(); }
};

Result<std::unique_ptr<KafkaSource>> KafkaSource::Create(const v1::KafkaConfig& config,
                                                         const std::string& role,
                                                         SourceOptions options, Log* log) {
  RW_ASSIGN_OR_RETURN(KafkaConf conf, ConsumerConf(config, role, options.group));
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](auto* client, rd_kafka_resp_err_t event, auto* list, void* opaque) {
        OnRebalance(client, event, list, opaque);
      });
  rd_kafka_conf_set_stats_cb(conf.get(), &KafkaSource::OnStatistics);
  rd_kafka_conf_set_error_cb(conf.get(), &KafkaSource::OnError);
  rd_kafka_conf_set_log_cb(conf.get(), &KafkaSource::OnLog);
  std::unique_ptr<KafkaSource> source(new KafkaSource(std::move(options), log));
  RW_ASSIGN_OR_RETURN(source->client_->handle,
                      MakeClient(RD_KAFKA_CONSUMER, std::move(conf), source.get()));
  rd_kafka_poll_set_consumer(source->client_->get());
  source->client_->queue.reset(rd_kafka_queue_get_consumer(source->client_->get()));
  return source;
}

KafkaSource::KafkaSource(SourceOptions options, Log* log)
    : options_(std::move(options)), log_(log), client_(std::make_unique<Client>()) {}

KafkaSource::~KafkaSource() { (void)Close(); }

// ---- reading

Result<std::vector<Record>> KafkaSource::Poll(const PollLimits& limits, milliseconds wait) {
  if (closed_) return FailedPrecondition("kafka source: poll after close");
  if (!fatal_.ok()) return fatal_;
  if (!started_) RW_RETURN_IF_ERROR(Subscribe());
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::vector<Record> records;
  poll_bytes_ = 0;
  TakeHeld(limits, &records);
  while (records.size() < limits.records_max && poll_bytes_ < limits.bytes_max) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    const bool may_wait = records.empty() && left.count() > 0 && !interrupted_;
    RW_ASSIGN_OR_RETURN(const bool came,
                        TakeOne(may_wait ? left : milliseconds(0), limits, &records));
    if (!came && (!records.empty() || left.count() <= 0 || interrupted_)) break;
  }
  interrupted_ = false;
  if (records.empty() && away_) return Unavailable("kafka: no broker answers");
  return records;
}

Result<bool> KafkaSource::TakeOne(milliseconds wait, const PollLimits& limits,
                                  std::vector<Record>* records) {
  const KafkaMessage message(
      rd_kafka_consumer_poll(client_->get(), static_cast<int>(wait.count())));
  if (!fatal_.ok()) return fatal_;
  if (!message) return false;
  const TopicPartition where = Where(*message);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    RW_RETURN_IF_ERROR(HandleError(message->err, where, rd_kafka_message_errstr(message.get())));
    return true;
  }
  away_ = false;
  Record record = ToRecord(*message);
  if (paused_.contains(where) || !Fits(record, limits, *records)) {
    Hold(std::move(record));
    if (!paused_.contains(where)) poll_bytes_ = std::max(poll_bytes_, limits.bytes_max);  // full
    return true;
  }
  HandOut(std::move(record), records);
  return true;
}

Status KafkaSource::HandleError(int error, const TopicPartition& where, const char* reason) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      ++gaps_;
      if (log_)
        log_->Warn("kafka_gap",
                   {{"topic", where.topic}, {"partition", where.partition}, {"reason", reason}});
      RestartAtBeginning(where);
      return Status::Ok();
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:  // the group went on without us; the next poll
                                                // rejoins
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      return Status::Ok();
    case RD_KAFKA_RESP_ERR__FATAL:
      fatal_ = FatalStatus(client_->get(), "kafka source");
      return fatal_;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return Unavailable("kafka topic " + where.topic +
                         ": does not exist (racewatch topics apply makes it)");
    default:
      return KafkaStatus(static_cast<rd_kafka_resp_err_t>(error), "kafka poll", reason);
  }
}

bool KafkaSource::Fits(const Record& record, const PollLimits& limits,
                       const std::vector<Record>& records) const {
  return records.empty() || (records.size() < limits.records_max &&
                             poll_bytes_ + record.ByteSize() <= limits.bytes_max);
}

void KafkaSource::HandOut(Record record, std::vector<Record>* records) {
  poll_bytes_ += record.ByteSize();
  {
    std::lock_guard guard(mutex_);
    positions_[{record.topic, record.partition}] = record.offset + 1;
  }
  records->push_back(std::move(record));
}

void KafkaSource::Hold(Record record) {
  const TopicPartition where{record.topic, record.partition};
  size_t& bytes = held_bytes_[where];
  bytes += record.ByteSize();
  held_[where].push_back(std::move(record));
  if (bytes <= kHeldBytesMax || !paused_.contains(where) || !stopped_.insert(where).second) return;
  rd_kafka_pause_partitions(client_->get(), ToList(PartitionList{where}).get());
}

void KafkaSource::TakeHeld(const PollLimits& limits, std::vector<Record>* records) {
  for (auto it = held_.begin(); it != held_.end();) {
    auto& [where, queue] = *it;
    if (!paused_.contains(where)) {
      while (!queue.empty() && Fits(queue.front(), limits, *records)) {
        held_bytes_[where] -= queue.front().ByteSize();
        HandOut(std::move(queue.front()), records);
        queue.pop_front();
      }
      // Nothing newer may overtake what did not fit.
      if (!queue.empty()) poll_bytes_ = std::max(poll_bytes_, limits.bytes_max);
    }
    it = queue.empty() ? held_.erase(it) : std::next(it);
  }
}

Status KafkaSource::Pause(const PartitionList& partitions) {
  std::lock_guard guard(mutex_);
  for (const TopicPartition& where : partitions)
    if (positions_.contains(where)) paused_.insert(where);
  return Status::Ok();
}

Status KafkaSource::Resume(const PartitionList& partitions) {
  PartitionList stopped;
  for (const TopicPartition& where : partitions) {
    paused_.erase(where);
    if (stopped_.erase(where) > 0) stopped.push_back(where);
  }
  if (stopped.empty()) return Status::Ok();
  return KafkaStatus(rd_kafka_resume_partitions(client_->get(), ToList(stopped).get()),
                     "kafka resume");
}

void KafkaSource::Interrupt() {
  interrupted_ = true;
  rd_kafka_queue_yield(client_->queue.get());
}

// ---- assignment

Status KafkaSource::Subscribe() {
  if (options_.group.empty()) {
    RW_RETURN_IF_ERROR(AssignEverything());
  } else {
    const KafkaPartitions list(
        rd_kafka_topic_partition_list_new(static_cast<int>(options_.topics.size())));
    for (const std::string& topic : options_.topics)
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    RW_RETURN_IF_ERROR(
        KafkaStatus(rd_kafka_subscribe(client_->get(), list.get()), "kafka subscribe"));
  }
  started_ = true;
  return Status::Ok();
}

Status KafkaSource::AssignEverything() {
  RW_ASSIGN_OR_RETURN(const PartitionList all, Partitions());
  Assign(all);
  return Status::Ok();
}

Result<std::vector<TopicPartition>> KafkaSource::Partitions() {
  if (closed_) return FailedPrecondition("kafka source: asked after close");
  PartitionList all;
  for (const std::string& topic : options_.topics) {
    const std::string what = "kafka topic " + topic;
    const KafkaTopic handle(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr));
    const rd_kafka_metadata_t* answer = nullptr;
    RW_RETURN_IF_ERROR(
        KafkaStatus(rd_kafka_metadata(client_->get(), 0, handle.get(), &answer, kAskMs), what));
    const KafkaMetadata metadata(answer);
    const rd_kafka_metadata_topic_t& found = answer->topics[0];
    if (found.partition_cnt == 0)
      return HandleError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, {topic, 0}, "");
    for (int i = 0; i < found.partition_cnt; ++i) all.push_back({topic, found.partitions[i].id});
  }
  return all;
}

Status KafkaSource::Rejoin() {
  if (closed_ || !started_ || options_.group.empty()) return Status::Ok();
  RW_RETURN_IF_ERROR(KafkaStatus(rd_kafka_unsubscribe(client_->get()), "kafka unsubscribe"));
  return Subscribe();
}

void KafkaSource::OnRebalance(rd_kafka_s* client, int event, rd_kafka_topic_partition_list_s* list,
                              void* opaque) {
  auto* self = static_cast<KafkaSource*>(opaque);
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->Assign(FromList(list));
    return;
  }
  if (event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
    self->Revoke(FromList(list), rd_kafka_assignment_lost(client) != 0);
  else
    self->Revoke(self->assignment(), true);  // the group failed: whatever we had is not ours now
  if (self->Cooperative() && event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
    const KafkaError ignored(rd_kafka_incremental_unassign(client, list));
  else
    rd_kafka_assign(client, nullptr);
}

void KafkaSource::Assign(const PartitionList& partitions) {
  const std::map<TopicPartition, int64_t> start = StartPositions(partitions);
  {
    std::lock_guard guard(mutex_);
    for (const auto& [where, offset] : start) positions_[where] = std::max<int64_t>(0, offset);
  }
  const KafkaPartitions list = ToList(start);
  if (Cooperative())
    const KafkaError ignored(rd_kafka_incremental_assign(client_->get(), list.get()));
  else
    rd_kafka_assign(client_->get(), list.get());
}

// Every position is looked up and checked here, so that librdkafka never has to guess one.
std::map<TopicPartition, int64_t> KafkaSource::StartPositions(const PartitionList& partitions) {
  std::map<TopicPartition, int64_t> given;
  if (options_.listener && !partitions.empty()) given = options_.listener->OnAssigned(partitions);
  PartitionList open;
  for (const TopicPartition& where : partitions)
    if (!given.contains(where)) open.push_back(where);
  if (!options_.group.empty() && !open.empty()) given.merge(CommittedPositions(open));
  std::map<TopicPartition, int64_t> start;
  for (const TopicPartition& where : partitions) {
    const auto it = given.find(where);
    start[where] = it == given.end() ? RD_KAFKA_OFFSET_BEGINNING : StayInRange(where, it->second);
  }
  return start;
}

std::map<TopicPartition, int64_t> KafkaSource::CommittedPositions(const PartitionList& partitions) {
  std::map<TopicPartition, int64_t> committed;
  const KafkaPartitions list = ToList(partitions);
  if (rd_kafka_committed(client_->get(), list.get(), kAskMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // librdkafka asks again by itself, for as long as it takes.
    for (const TopicPartition& where : partitions) committed[where] = RD_KAFKA_OFFSET_STORED;
    return committed;
  }
  for (int i = 0; i < list->cnt; ++i)
    if (list->elems[i].offset >= 0)
      committed[{list->elems[i].topic, list->elems[i].partition}] = list->elems[i].offset;
  return committed;
}

int64_t KafkaSource::StayInRange(const TopicPartition& where, int64_t offset) {
  if (offset < 0) return offset;  // one of librdkafka's own names
  const Result<OffsetRange> range = Range(where);
  if (!range.ok() || (offset >= range->start && offset <= range->end)) return offset;
  ++gaps_;
  if (log_)
    log_->Warn("kafka_gap",
               {{"topic", where.topic}, {"partition", where.partition}, {"position", offset}});
  return range->start;
}

// librdkafka has stopped this partition and refuses to seek in it: it must be assigned anew.
void KafkaSource::RestartAtBeginning(const TopicPartition& where) {
  const Result<OffsetRange> range = Range(where);
  const int64_t start = range.ok() ? range->start : RD_KAFKA_OFFSET_BEGINNING;
  std::map<TopicPartition, int64_t> anew;
  {
    std::lock_guard guard(mutex_);
    positions_[where] = std::max<int64_t>(0, start);
    anew = positions_;
  }
  anew[where] = start;
  if (Cooperative()) {
    const KafkaError unassigned(
        rd_kafka_incremental_unassign(client_->get(), ToList(PartitionList{where}).get()));
    const KafkaError assigned(rd_kafka_incremental_assign(
        client_->get(), ToList(std::map<TopicPartition, int64_t>{{where, start}}).get()));
    stopped_.erase(where);
    return;
  }
  // Eager: only the whole assignment can be replaced. What is held will be fetched again.
  held_.clear();
  held_bytes_.clear();
  stopped_.clear();
  rd_kafka_assign(client_->get(), ToList(anew).get());
}

bool KafkaSource::Cooperative() const {
  return !options_.group.empty() &&
         std::string_view(rd_kafka_rebalance_protocol(client_->get())) == "COOPERATIVE";
}

void KafkaSource::Revoke(const PartitionList& partitions, bool lost) {
  if (options_.listener && !partitions.empty()) options_.listener->OnRevoked(partitions, lost);
  std::lock_guard guard(mutex_);
  for (const TopicPartition& where : partitions) {
    positions_.erase(where);
    ends_.erase(where);
    paused_.erase(where);
    stopped_.erase(where);
    held_.erase(where);
    held_bytes_.erase(where);
  }
}

std::vector<TopicPartition> KafkaSource::assignment() const {
  std::lock_guard guard(mutex_);
  PartitionList all;
  for (const auto& [where, position] : positions_) all.push_back(where);
  return all;
}

// ---- questions and commits

Status KafkaSource::Commit(const std::vector<Position>& next) {
  if (closed_) return FailedPrecondition("kafka source: commit after close");
  if (!fatal_.ok()) return fatal_;
  if (options_.group.empty()) return Status::Ok();
  std::map<TopicPartition, int64_t> ours;
  {
    std::lock_guard guard(mutex_);
    for (const Position& p : next)
      if (positions_.contains(p.where)) ours[p.where] = p.offset;
  }
  if (ours.empty()) return Status::Ok();
  const KafkaQueue answers(rd_kafka_queue_new(client_->get()));
  const auto sent =
      rd_kafka_commit_queue(client_->get(), ToList(ours).get(), answers.get(), nullptr, nullptr);
  RW_RETURN_IF_ERROR(KafkaStatus(sent, "kafka commit"));
  const KafkaEvent answer(rd_kafka_queue_poll(answers.get(), kCommitMs));
  if (!answer) return Unavailable("kafka commit: no answer in time");
  switch (const auto error = rd_kafka_event_error(answer.get())) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:  // the group has given them to somebody else
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
      return Status::Ok();
    default:
      return KafkaStatus(error, "kafka commit", rd_kafka_event_error_string(answer.get()));
  }
}

Result<std::string> KafkaSource::ClusterId() {
  if (closed_) return FailedPrecondition("kafka source: asked after close");
  char* id = rd_kafka_clusterid(client_->get(), kAskMs);
  if (!id) return Unavailable("kafka cluster id: no broker answers");
  std::string copy(id);
  rd_kafka_mem_free(client_->get(), id);
  return copy;
}

Result<OffsetRange> KafkaSource::Range(const TopicPartition& where) {
  if (closed_) return FailedPrecondition("kafka source: asked after close");
  OffsetRange range;
  const auto error = rd_kafka_query_watermark_offsets(
      client_->get(), where.topic.c_str(), where.partition, &range.start, &range.end, kAskMs);
  RW_RETURN_IF_ERROR(
      KafkaStatus(error, "kafka range of " + where.topic + "/" + std::to_string(where.partition)));
  return range;
}

std::map<TopicPartition, std::optional<int64_t>> KafkaSource::Lag() const {
  std::lock_guard guard(mutex_);
  std::map<TopicPartition, std::optional<int64_t>> lag;
  for (const auto& [where, position] : positions_) {
    const auto end = ends_.find(where);
    lag[where] = end == ends_.end() ? std::nullopt
                                    : std::optional(std::max<int64_t>(0, end->second - position));
  }
  return lag;
}

int KafkaSource::OnStatistics(rd_kafka_s*, char* json, size_t size, void* opaque) {
  auto* self = static_cast<KafkaSource*>(opaque);
  KafkaStatistics statistics = ParseKafkaStatistics({json, size});
  if (statistics.broker_up) self->away_ = false;
  std::lock_guard guard(self->mutex_);
  self->ends_ = std::move(statistics.ends);
  return 0;  // librdkafka frees the text
}

void KafkaSource::OnError(rd_kafka_s* client, int error, const char* reason, void* opaque) {
  auto* self = static_cast<KafkaSource*>(opaque);
  if (self->log_)
    self->log_->RateLimited(LogLevel::kWarn, "kafka_consumer_error", {{"error", reason}});
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) self->away_ = true;
  if (error == RD_KAFKA_RESP_ERR__FATAL) self->fatal_ = FatalStatus(client, "kafka source");
}

void KafkaSource::OnLog(const rd_kafka_s* client, int level, const char* facility,
                        const char* text) {
  auto* self = static_cast<KafkaSource*>(rd_kafka_opaque(client));
  if (self) LogClientLine(self->log_, level, facility, text);
}

// ---- the end

Status KafkaSource::Close() {
  if (closed_) return Status::Ok();
  Status status = Status::Ok();
  if (started_ && options_.group.empty()) {
    Revoke(assignment(), false);
    rd_kafka_assign(client_->get(), nullptr);
  } else if (started_) {
    // Leaves the group; the rebalance callback is called from here. Bounded: the state is safe
    // already.
    const KafkaError refused(rd_kafka_consumer_close_queue(client_->get(), client_->queue.get()));
    const auto deadline = std::chrono::steady_clock::now() + kClosePatience;
    while (!refused && !rd_kafka_consumer_closed(client_->get()) &&
           std::chrono::steady_clock::now() < deadline)
      const KafkaMessage dropped(rd_kafka_consumer_poll(client_->get(), 50));
    if (!rd_kafka_consumer_closed(client_->get()))
      status = DeadlineExceeded("kafka source: the group did not answer in time");
    Revoke(assignment(), true);  // nothing, unless that failed
  }
  closed_ = true;
  client_->queue.reset();
  if (rd_kafka_t* handle = client_->handle.release())
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  return status;
}

}  // namespace racewatch::base
