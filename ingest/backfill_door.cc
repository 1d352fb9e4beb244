#include "ingest/backfill_door.h"

#include <algorithm>
#include <condition_variable>
#include <string>
#include <utility>

#include "base/bus/dead_letter.h"
#include "base/bus/topics.h"
#include "ingest/article_record.h"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/backfill.pb.h"

namespace racewatch::ingest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kDeliveryTime{25};
constexpr std::chrono::milliseconds kFullWait{5};
constexpr std::chrono::seconds kBurst{1};  // of the quota, ahead of time

// Shared with the callbacks, which may come after the answer.
struct Reports {
  std::mutex mutex;
  std::condition_variable changed;
  size_t open = 0;
  size_t delivered = 0;
  std::string failure;
};

base::HttpResponse Answer(int status, const std::string& body, int64_t retry_after_s = 0) {
  base::HttpResponse out;
  out.status = status;
  out.body = body + "\n";
  if (retry_after_s > 0) out.headers.emplace("Retry-After", std::to_string(retry_after_s));
  return out;
}

base::HttpResponse Refusal(int status, const std::string& why, int64_t retry_after_s = 0) {
  std::string message;
  for (const char c : why) message += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 ? '\'' : c;
  return Answer(status, "{\"message\":\"" + message + "\"}", retry_after_s);
}

// Waits while the sink is full. Anything but OK: given up.
base::Status SendOne(base::Sink& sink, const base::Record& record, const std::shared_ptr<Reports>& reports, Clock::time_point deadline) {
  for (;;) {
    {
      const std::scoped_lock lock(reports->mutex);
      ++reports->open;
    }
    const base::Status status = sink.Send(record, [reports](const base::Delivery& delivery) {
      const std::scoped_lock lock(reports->mutex);
      --reports->open;
      if (delivery.status.ok()) ++reports->delivered;
      else reports->failure = delivery.status.message();
      reports->changed.notify_all();
    });
    if (status.ok()) return status;
    std::unique_lock lock(reports->mutex);
    --reports->open;
    if (!status.retryable() || Clock::now() >= deadline) return status;
    reports->changed.wait_for(lock, kFullWait);
  }
}

}  // namespace

base::Record RejectRecord(const v1::BackfillReject& reject) {
  base::Record original;
  original.topic = base::kBackfillTopic;  // where it would have gone
  original.key = reject.where();
  original.value = reject.original();
  return base::MakeDeadLetter(original, "ingest", reject.reason(), reject.where() + ": " + reject.detail(), 1);
}

std::string BackfillProblem(const v1::Article& article) {
  const auto hex = [](const std::string& text, size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  };
  if (!hex(article.id(), 32)) return "an article whose id is not 32 hexadecimal digits";
  if (!hex(article.content_hash(), 16)) return "article " + article.id() + " has no content hash";
  if (article.lane() != v1::LANE_BACKFILL) return "article " + article.id() + " is not of the backfill lane";
  if (article.title().empty()) return "article " + article.id() + " has no title";
  if (!article.has_fetched_at()) return "article " + article.id() + " has no fetch time";
  return {};
}

int64_t BackfillDoor::Take(size_t articles) {
  if (per_s_max_ == 0) return 0;
  const std::scoped_lock lock(mutex_);
  const auto now = Clock::now();
  free_at_ = std::max(free_at_, now - kBurst);
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(free_at_ - now).count();
  if (wait > 0) return wait;
  free_at_ += std::chrono::microseconds(articles * 1'000'000 / per_s_max_);
  return 0;
}

base::HttpResponse BackfillDoor::Handle(const base::HttpRequest& request) {
  v1::BackfillBatch batch;
  if (!batch.ParseFromString(request.body)) return Refusal(400, "the body is no racewatch.v1.BackfillBatch");
  for (const v1::Article& article : batch.articles())
    if (const std::string why = BackfillProblem(article); !why.empty()) return Refusal(400, why);
  const auto articles = static_cast<size_t>(batch.articles_size());
  if (const int64_t wait_ms = Take(articles); wait_ms > 0) {
    metrics_.Backfill("over_quota", 1);
    return Refusal(429, "more than " + std::to_string(per_s_max_) + " backfilled articles a second", (wait_ms + 999) / 1000);
  }
  const auto reports = std::make_shared<Reports>();
  const auto deadline = Clock::now() + kDeliveryTime;
  base::Status status;
  for (int i = 0; status.ok() && i < batch.articles_size(); ++i) status = SendOne(sink_, ArticleRecord(batch.articles(i)), reports, deadline);
  for (int i = 0; status.ok() && i < batch.rejects_size(); ++i) status = SendOne(sink_, RejectRecord(batch.rejects(i)), reports, deadline);
  std::unique_lock lock(reports->mutex);
  const bool settled = reports->changed.wait_until(lock, deadline, [&] { return reports->open == 0; });
  if (!status.ok() || !settled || !reports->failure.empty()) {
    metrics_.Backfill("failed", 1);
    const std::string why = !status.ok() ? status.message() : !settled ? "not delivered in time" : reports->failure;
    return Refusal(503, why, 1);  // sent again as a whole: ids make that harmless
  }
  metrics_.Backfill("sent", articles);
  metrics_.Backfill("dead_lettered", static_cast<size_t>(batch.rejects_size()));
  return Answer(200, "{\"delivered\":" + std::to_string(reports->delivered) + "}");
}

}  // namespace racewatch::ingest
