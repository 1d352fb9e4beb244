#include "store/redaction.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/bus/topics.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/apply.h"
#include "store/article_row.h"
#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr std::chrono::seconds kDeliveryTime{25};
constexpr size_t kPieceArticles = 200;

struct Waiting {
  std::mutex mutex;
  std::condition_variable changed;
  size_t open = 0;
  base::Status failure;
};

}  // namespace

base::Result<std::vector<base::Record>> RedactionRecords(std::string_view detail) {
  v1::TaggedArticle message;
  if (!message.ParseFromArray(detail.data(), static_cast<int>(detail.size()))) return base::DataLoss("article detail: damaged");
  base::Record record;
  record.key = message.article().id();
  record.value = EncodeDetail(&message, true);
  record.headers = {{"content-type", "application/x-protobuf"}, {"schema", "racewatch.v1.TaggedArticle"}};
  std::vector<base::Record> records(2, record);
  records[0].topic = base::kTaggedTopic;
  records[1].topic = base::kTaggedBackfillTopic;
  return records;
}

base::Result<std::string> TakeDown(const View& view, base::Sink& sink, const std::string& article) {
  const auto parsed = ParseArticleId(article);
  std::optional<std::string> id = parsed ? std::optional(IdBytes(*parsed)) : std::nullopt;
  if (!id) {
    RW_ASSIGN_OR_RETURN(id, view.Get(Table::kUrl, UrlKey(article)));
  }
  std::optional<std::string> detail;
  if (id) {
    RW_ASSIGN_OR_RETURN(detail, view.Get(Table::kDetail, *id));
  }
  if (!detail) return base::NotFound("article '" + article.substr(0, 200) + "': the store does not hold it");
  RW_ASSIGN_OR_RETURN(const std::vector<base::Record> records, RedactionRecords(*detail));
  const auto waiting = std::make_shared<Waiting>();
  waiting->open = records.size();
  for (const base::Record& record : records) {
    RW_RETURN_IF_ERROR(sink.Send(record, [waiting](const base::Delivery& delivery) {
      const std::scoped_lock lock(waiting->mutex);
      --waiting->open;
      if (!delivery.status.ok()) waiting->failure = delivery.status;
      waiting->changed.notify_all();
    }));
  }
  std::unique_lock lock(waiting->mutex);
  if (!waiting->changed.wait_for(lock, kDeliveryTime, [&] { return waiting->open == 0; }))
    return base::Unavailable("takedown: not delivered in time");
  RW_RETURN_IF_ERROR(waiting->failure);
  return records[0].key;
}

base::Status KeepLabels(const View& view, base::Sink& sink, const std::vector<base::Record>& records, const CompleteValue& complete) {
  const auto waiting = std::make_shared<Waiting>();
  for (const base::Record& withdrawal : records) {
    if (withdrawal.FindHeader("withdrawn") == nullptr) continue;
    std::optional<std::string> detail;
    if (const auto id = ParseArticleId(withdrawal.key)) {
      RW_ASSIGN_OR_RETURN(detail, view.Get(Table::kDetail, IdBytes(*id)));
    }
    for (const base::Record& record : records)  // perhaps it is counted in this very batch
      if (!detail && record.key == withdrawal.key && record.FindHeader("withdrawn") == nullptr) detail = complete(record);
    if (!detail) continue;  // the store has never seen it: there are no labels
    const auto redactions = RedactionRecords(*detail);
    if (!redactions.ok()) continue;
    for (const base::Record& record : *redactions) {
      RW_RETURN_IF_ERROR(sink.Send(record, [waiting](const base::Delivery& delivery) {
        const std::scoped_lock lock(waiting->mutex);
        if (!delivery.status.ok()) waiting->failure = base::Unavailable(delivery.status.message());
      }));
      ++waiting->open;
    }
  }
  if (waiting->open == 0) return {};
  if (!sink.Flush(kDeliveryTime).ok()) return base::Unavailable("withdrawals: labels not delivered in time");
  const std::scoped_lock lock(waiting->mutex);
  return waiting->failure;
}

struct TextRetention::Pending {
  std::atomic<size_t> open = 0;
};

TextRetention::TextRetention(const View& view, base::Sink& sink, uint32_t text_days)
    : view_(view), sink_(sink), text_days_(text_days), pending_(std::make_shared<Pending>()) {}

base::Result<bool> TextRetention::Run(base::UnixMs stream_ms) {
  const int64_t today = stream_ms / kMsPerDay;
  if (text_days_ == 0 || today <= text_days_ || (today == pass_day_ && passed_)) return false;
  if (pending_->open > 0) return false;
  if (today != pass_day_) {
    pass_day_ = today;
    cursor_.clear();
    passed_ = false;
  }
  std::string end;
  AppendBig(&end, static_cast<uint32_t>((today - text_days_) * 24));
  std::vector<std::string> keys;
  RW_RETURN_IF_ERROR(view_.Scan(Table::kTime, cursor_, end, false, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return keys.size() < kPieceArticles;
  }));
  passed_ = keys.size() < kPieceArticles;
  for (const std::string& key : keys) {
    cursor_ = key + '\0';
    const std::string_view id = std::string_view(key).substr(sizeof(uint32_t));
    RW_ASSIGN_OR_RETURN(const auto stored, view_.Get(Table::kArticle, id));
    if (!stored) continue;
    RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(*stored));
    if (row.redacted) continue;
    RW_ASSIGN_OR_RETURN(const auto detail, view_.Get(Table::kDetail, id));
    if (!detail) continue;
    RW_ASSIGN_OR_RETURN(const std::vector<base::Record> records, RedactionRecords(*detail));
    for (const base::Record& record : records) {
      ++pending_->open;
      const base::Status sent = sink_.Send(record, [pending = pending_](const base::Delivery&) { --pending->open; });
      if (sent.ok()) continue;
      --pending_->open;
      if (!sent.retryable()) continue;
      cursor_ = key;  // the sink is full: from here on at the next call
      passed_ = false;
      return false;
    }
  }
  return !keys.empty();
}

}  // namespace racewatch::store
