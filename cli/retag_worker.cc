#include "cli/retag_worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/bus/embedded_log.h"
#include "base/bus/topics.h"
#include "base/pause.h"

namespace racewatch::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kNice = 10;  // live articles go first
constexpr milliseconds kStepWait{100}, kBackOff{1000}, kCloseTime{2000};
constexpr std::chrono::seconds kLookEvery{5}, kStalledAfter{30};

classify::RetagCounts Sum(const classify::RetagCounts& a, const classify::RetagCounts& b) {
  return {a.read + b.read, a.tagged + b.tagged, a.copied + b.copied, a.kept + b.kept, a.skipped + b.skipped};
}

// Whether the store has everything that was handed on, or at least gets on with it.
class Stall {
 public:
  bool Seen(const RetagWorker::Offsets& covered, const RetagWorker::Offsets& sent) {
    const auto now = steady_clock::now();
    const bool behind = std::any_of(sent.begin(), sent.end(), [&](const auto& entry) {
      const auto at = covered.find(entry.first);
      return (at == covered.end() ? 0 : at->second) < entry.second;
    });
    if (!behind || covered != covered_) since_ = now;
    covered_ = covered;
    return now - since_ > kStalledAfter;
  }

 private:
  RetagWorker::Offsets covered_;
  steady_clock::time_point since_ = steady_clock::now();
};

}  // namespace

RetagWorker::RetagWorker(Options options, Bus& bus, std::shared_ptr<const classify::Model> model, ReadHeld held, base::Clock& clock,
                         base::Log& log)
    : options_(options), bus_(bus), model_(std::move(model)), held_(std::move(held)), clock_(clock), log_(log) {}
RetagWorker::~RetagWorker() { Stop(); }

void RetagWorker::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void RetagWorker::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

RetagWorker::Progress RetagWorker::progress() const {
  const std::scoped_lock lock(mutex_);
  Progress out = progress_;
  out.quiet_s = std::chrono::duration<double>(steady_clock::now() - last_of_others_).count();
  return out;
}

void RetagWorker::Note(const classify::RetagLoop& loop, const classify::RetagCounts& before) {
  const std::scoped_lock lock(mutex_);
  progress_.counts = Sum(before, loop.counts());
  progress_.trouble.clear();
  last_of_others_ = std::max(last_of_others_, loop.last_of_others());
}

base::Result<int32_t> RetagWorker::Partitions() {
  if (bus_.embedded() != nullptr) return bus_.embedded()->partitions(std::string(base::kRetagTopic));
  RW_ASSIGN_OR_RETURN(const auto source, bus_.MakeSource({.topics = {std::string(base::kRetagTopic)}}));
  RW_ASSIGN_OR_RETURN(const auto partitions, source->Partitions());
  (void)source->Close();
  if (partitions.empty()) return base::Unavailable("topic " + std::string(base::kRetagTopic) + ": not there (racewatch topics apply)");
  return static_cast<int32_t>(partitions.size());
}

base::Status RetagWorker::RunOnce(const std::stop_token& stop) {
  RW_ASSIGN_OR_RETURN(Held held, held_());
  const uint64_t asked = store::FingerprintOf(held.queries);
  store::QueryMatcher matcher(held.queries);
  classify::RetagOptions options{.generation = options_.generation, .model_version = model_->version(), .queries = asked};
  options.ask = [&matcher](v1::TaggedArticle* article) { matcher.Ask(article); };
  RW_ASSIGN_OR_RETURN(options.partitions, Partitions());
  RW_ASSIGN_OR_RETURN(const auto sink, bus_.MakeSink());
  classify::RetagLoop loop(options, [this](const classify::DocumentView& document, classify::Scratch& scratch, v1::Tags* tags) {
    model_->Classify(document, scratch, tags);
  }, *sink, clock_, std::move(held.covered));
  RW_ASSIGN_OR_RETURN(const auto source, bus_.MakeSource({.topics = classify::RetagLoop::Topics(), .listener = &loop}));
  loop.SetSource(*source);
  const classify::RetagCounts before = progress().counts;
  Stall stall;
  auto next_look = steady_clock::now() + kLookEvery;
  base::Status status;
  while (status.ok() && !stop.stop_requested()) {
    const auto done = loop.Step(kStepWait, stop);
    if (!done.ok()) {
      status = done.status();
      break;
    }
    Note(loop, before);
    if (options_.rate_per_s > 0) base::PauseFor(milliseconds(static_cast<int64_t>(1000 * static_cast<double>(*done) / options_.rate_per_s)), stop);
    if (steady_clock::now() < next_look) continue;
    next_look = steady_clock::now() + kLookEvery;
    const auto now = held_();
    if (now.status().code() == base::Code::kFailedPrecondition) status = now.status();
    else if (now.ok() && store::FingerprintOf(now->queries) != asked) status = base::Unavailable("the saved queries have changed");
    else if (now.ok() && *done == 0 && stall.Seen(now->covered, loop.next())) status = base::Unavailable("the store lacks records that were handed on");
  }
  (void)source->Close();
  (void)sink->Close(kCloseTime);
  return status;
}

void RetagWorker::Run(const std::stop_token& stop) {
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  while (!stop.stop_requested()) {
    const base::Status status = RunOnce(stop);
    if (status.ok() || stop.stop_requested()) continue;
    if (status.code() == base::Code::kFailedPrecondition) {
      log_.Info("retag_ended", {{"generation", options_.generation}, {"why", status.message()}});
      return;
    }
    log_.RateLimited(base::LogLevel::kWarn, "retag_begins_again", {{"why", status.message()}});
    {
      const std::scoped_lock lock(mutex_);
      progress_.trouble = status.message();
    }
    base::PauseFor(kBackOff, stop);
  }
}

}  // namespace racewatch::cli
