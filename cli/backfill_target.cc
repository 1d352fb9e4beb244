#include "cli/backfill_target.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "ingest/article_record.h"
#include "ingest/backfill_door.h"

namespace racewatch::cli {
namespace {

using std::chrono::milliseconds;

constexpr int kTries = 8;
constexpr milliseconds kFlushTime{60'000};
constexpr milliseconds kFirstWait{250};
constexpr milliseconds kLongestWait{10'000};

base::HttpClient::Options OwnProcess() {
  base::HttpClient::Options options;
  options.allow_private_addresses = true;
  return options;
}

}  // namespace

base::Status SinkTarget::Deliver(const v1::BackfillBatch& batch) {
  std::mutex mutex;
  base::Status failure;
  const auto report = [&](const base::Delivery& delivery) {
    const std::scoped_lock lock(mutex);
    if (!delivery.status.ok()) failure = delivery.status;
  };
  const auto send = [&](const base::Record& record) {
    for (;;) {
      base::Status status = sink_.Send(record, report);
      if (status.code() != base::Code::kResourceExhausted) return status;
      RW_RETURN_IF_ERROR(sink_.Flush(kFlushTime));  // full: what is in it goes first
    }
  };
  base::Status status;
  for (int i = 0; status.ok() && i < batch.articles_size(); ++i) status = send(ingest::ArticleRecord(batch.articles(i)));
  for (int i = 0; status.ok() && i < batch.rejects_size(); ++i) status = send(ingest::RejectRecord(batch.rejects(i)));
  // No report may come after this call; an unfinished flush is followed by the sink's end.
  const base::Status flushed = sink_.Flush(kFlushTime);
  if (!flushed.ok()) (void)sink_.Close(milliseconds(0));
  RW_RETURN_IF_ERROR(status);
  RW_RETURN_IF_ERROR(flushed);
  const std::scoped_lock lock(mutex);
  return failure;
}

ServerTarget::ServerTarget(std::string server) : server_(std::move(server)), client_(OwnProcess()) {}

base::HttpReply ServerTarget::Post(const std::string& body) {
  base::HttpCall call;
  call.method = "POST";
  call.url = "http://" + server_ + "/api/v1/backfill";
  call.headers.emplace_back("Content-Type", "application/x-protobuf");
  call.headers.emplace_back("Expect", "");  // no round trip before the body
  call.body = body;
  call.redirects_max = 0;
  call.timeout = kFlushTime;
  std::optional<base::HttpReply> reply;
  client_.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
  while (!reply) client_.Poll(milliseconds(1000));
  return std::move(*reply);
}

base::Status ServerTarget::Deliver(const v1::BackfillBatch& batch) {
  const std::string body = batch.SerializeAsString();
  milliseconds wait = kFirstWait;
  for (int attempt = 1;;) {
    const base::HttpReply reply = Post(body);
    reached_ = reached_ || reply.status.ok();
    if (reply.status.ok() && reply.http_status == 200) return {};
    if (!reply.status.ok() && !reached_) return base::Unavailable("server " + server_ + ": " + reply.status.message());
    if (reply.status.ok() && reply.http_status == 404) return base::Unavailable("server " + server_ + ": HTTP 404 (does it run ingest?)");
    if (reply.status.ok() && reply.http_status >= 400 && reply.http_status < 429)
      return base::Internal("server " + server_ + ": HTTP " + std::to_string(reply.http_status) + " " + reply.body.substr(0, 200));
    // 429 is the server's quota: that is waiting, not failing.
    const bool quota = reply.status.ok() && reply.http_status == 429;
    if (!quota && ++attempt > kTries)
      return base::Unavailable("server " + server_ + ": " + (reply.status.ok() ? "HTTP " + std::to_string(reply.http_status) : reply.status.message()));
    int64_t asked_s = 0;
    if (const std::string* after = reply.Header("retry-after")) std::from_chars(after->data(), after->data() + after->size(), asked_s);
    std::this_thread::sleep_for(std::clamp(milliseconds(asked_s * 1000), wait, kLongestWait));
    wait = quota ? kFirstWait : std::min(wait * 2, kLongestWait);
  }
}

}  // namespace racewatch::cli
