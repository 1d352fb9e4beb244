#include "classify/retag_loop.h"

#include <google/protobuf/util/time_util.h>

#include <mutex>
#include <utility>
#include <vector>

#include "base/bus/topics.h"
#include "classify/model/text.h"
#include "classify/tag_step.h"
#include "racewatch/v1/tagged_article.pb.h"

namespace racewatch::classify {
namespace {

using std::chrono::milliseconds;

constexpr size_t kStepRecords = 500;
constexpr milliseconds kFlushTime{30'000}, kFlushSlice{200};

void TagAgain(const v1::Article& article, const ClassifyText& classify, Scratch& scratch, v1::Tags* tags) {
  const std::string_view title = CutAtCharacter(article.title(), kTitleBytesMax), text = CutAtCharacter(article.text(), kTextBytesMax);
  classify({title, text, article.language()}, scratch, tags);
}

// What a reader of the store can do without, or must not find here.
void DropTexts(v1::Article* article) {
  article->clear_title();
  article->clear_text();
  article->clear_author();
  article->clear_categories();
  article->clear_edit();
}

}  // namespace

base::Record MakeRetagRecord(const base::Record& tagged, const base::RetagOrigin& origin, const RetagOptions& options,
                             const ClassifyText& classify, Scratch& scratch, base::UnixMs now_ms, RetagCounts* counts) {
  using google::protobuf::util::TimeUtil;
  ++counts->read;
  base::Record out;
  out.topic = base::kRetagTopic;
  out.headers = {{"content-type", "application/x-protobuf"}, {"schema", "racewatch.v1.TaggedArticle"}, base::MakeRetagHeader(origin)};
  v1::TaggedArticle message;
  if (tagged.tombstone || !message.ParseFromString(tagged.value) || message.generation() != 0 || !message.has_tags()) {
    ++counts->skipped;  // an empty record: it says that nothing is missing here
    return out;
  }
  v1::Article* article = message.mutable_article();
  if (message.tags().model_version() == options.model_version) {
    ++counts->copied;
  } else if (article->redacted() || (article->title().empty() && article->text().empty())) {
    ++counts->kept;
  } else {
    ++counts->tagged;
    TagAgain(*article, classify, scratch, message.mutable_tags());
    *message.mutable_tagged_at() = TimeUtil::MillisecondsToTimestamp(now_ms);
  }
  if (options.ask) options.ask(&message);
  DropTexts(article);
  message.set_generation(options.generation);
  out.key = tagged.key;
  out.value = message.SerializeAsString();
  return out;
}

struct RetagLoop::Reports {
  std::mutex mutex;
  base::Status failure;
  base::Status Failure() {
    const std::scoped_lock lock(mutex);
    return failure;
  }
};

RetagLoop::RetagLoop(RetagOptions options, ClassifyText classify, base::Sink& sink, base::Clock& clock,
                     std::map<base::TopicPartition, int64_t> covered)
    : options_(std::move(options)), classify_(std::move(classify)), sink_(sink), clock_(clock), next_(std::move(covered)),
      reports_(std::make_shared<Reports>()) {}
RetagLoop::~RetagLoop() = default;

std::vector<std::string> RetagLoop::Topics() { return {std::string(base::kTaggedTopic), std::string(base::kTaggedBackfillTopic)}; }

std::map<base::TopicPartition, int64_t> RetagLoop::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> positions;
  for (const auto& where : partitions)
    if (const auto at = next_.find(where); at != next_.end()) positions[where] = at->second;
  return positions;
}

// Waits while the sink is full: what is in it goes first, in order.
base::Status RetagLoop::Send(base::Record record, const std::stop_token& stop) {
  for (const auto deadline = std::chrono::steady_clock::now() + kFlushTime;;) {
    const base::Status sent = sink_.Send(record, [reports = reports_](const base::Delivery& delivery) {
      if (delivery.status.ok()) return;
      const std::scoped_lock lock(reports->mutex);
      reports->failure = delivery.status;
    });
    if (sent.code() != base::Code::kResourceExhausted) return sent;
    if (stop.stop_requested()) return base::Cancelled("stopping");
    const base::Status flushed = sink_.Flush(kFlushSlice);
    if (!flushed.ok() && (flushed.code() != base::Code::kDeadlineExceeded || std::chrono::steady_clock::now() >= deadline)) return flushed;
  }
}

base::Result<size_t> RetagLoop::Step(milliseconds wait, const std::stop_token& stop) {
  if (const base::Status failure = reports_->Failure(); !failure.ok()) return base::Unavailable("retag: not delivered: " + failure.message());
  auto records = source_->Poll({.records_max = kStepRecords}, wait);
  if (!records.ok()) return records.status();
  std::vector<base::Record> made;  // sent one behind the other, so that the bus writes them together
  std::map<base::TopicPartition, int64_t> upto = next_;
  for (const base::Record& record : *records) {
    const base::TopicPartition where{record.topic, record.partition};
    int64_t& next = upto[where];
    if (record.offset < next) continue;
    const base::RetagOrigin origin{options_.generation, where, next, record.offset + 1, options_.queries};
    const uint64_t before = counts_.tagged;
    made.push_back(MakeRetagRecord(record, origin, options_, classify_, scratch_, clock_.NowMs(), &counts_));
    if (counts_.tagged > before) last_of_others_ = std::chrono::steady_clock::now();
    // All of a tagged partition in one partition, so that the store reads them in this order.
    made.back().partition = where.partition % options_.partitions;
    next = record.offset + 1;
  }
  for (base::Record& record : made) {
    const base::Status sent = Send(std::move(record), stop);
    if (sent.code() == base::Code::kCancelled) return sent;
    if (!sent.ok()) return base::Unavailable("retag: not sent: " + sent.message());
  }
  next_ = std::move(upto);
  return records->size();
}

}  // namespace racewatch::classify
