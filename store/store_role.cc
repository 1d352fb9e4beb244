#include "store/store_role.h"

#include <prometheus/registry.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/bus/topics.h"
#include "base/http_server.h"
#include "base/metrics.h"
#include "racewatch/v1/config.pb.h"
#include "store/correction_api.h"
#include "store/corrections.h"
#include "store/digest.h"
#include "store/http_api.h"
#include "store/http_params.h"
#include "store/open_engine.h"
#include "store/query.h"
#include "store/redaction.h"
#include "store/retag_api.h"
#include "store/retag_status.h"
#include "store/rule_trial.h"
#include "store/store_loop.h"
#include "store/store_service.h"
#include "store/trend_collectable.h"
#include "store/trends.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kPollWaitMs = 200;
constexpr milliseconds kIdleWait{250};

}  // namespace

struct StoreRole::Impl {
  Impl(const v1::StoreConfig& c, base::Sink& s, base::Clock& t, prometheus::Registry& r, base::Log& l,
       base::HttpServer& http, std::string dir)
      : config(c), sink(s), clock(t), registry(r), log(l), state_dir(std::move(dir)),
        api(http, changes, c.page()), correction_api(http), retag(http, t), server(changes), trends(std::make_shared<TrendCollectable>(t)) {
    http.ExportMetrics(trends);
    http.Handle("POST", "/api/v1/alerts/test", [this](const base::HttpRequest& request) {
      return AnswerTrial(served, request, clock.NowMs());
    });
  }

  const v1::StoreConfig config;
  base::Sink& sink;
  base::Clock& clock;
  prometheus::Registry& registry;
  base::Log& log;
  const std::string state_dir;
  base::Source* source = nullptr;
  std::function<void(base::Status)> on_fatal;
  Changes changes;
  std::unique_ptr<Engine> engine;
  std::mutex rates_mutex;  // of `rates`, and of making `query`
  std::shared_ptr<const ErrorRates> rates;
  std::unique_ptr<Query> query;
  std::unique_ptr<Corrections> corrections;
  std::unique_ptr<StoreLoop> loop;
  HttpApi api;
  CorrectionApi correction_api;
  RetagApi retag;
  RetagSource retag_source;
  StoreServer server;
  std::shared_ptr<TrendCollectable> trends;
  std::atomic<const Engine*> served = nullptr;  // for trials of rules

  // Idle asks for a round that begins after the question.
  mutable std::mutex idle_mutex;
  mutable std::condition_variable idle_changed;
  mutable uint64_t idle_asked = 0;
  uint64_t idle_answered = 0;
  bool idle = false;
  std::atomic<bool> running = false;
  std::jthread thread;  // last: ends first

  base::Result<std::string> RemoveText(const std::string& article) const;
  base::HttpResponse TakeDown(const base::HttpRequest& request) const;
  void Run(const std::stop_token& stop);
  void Answer(uint64_t asked, bool is_idle) {
    const std::scoped_lock lock(idle_mutex);
    idle_answered = asked;
    idle = is_idle;
    idle_changed.notify_all();
  }
};

// Corrections outlive their article, so they are looked at whether or not it is kept.
base::Result<std::string> StoreRole::Impl::RemoveText(const std::string& article) const {
  if (!running) return base::Unavailable("the store is not running");
  auto id = store::TakeDown(loop->active(), sink, article);
  if (!id.ok() && id.status().code() != base::Code::kNotFound) return id;
  RW_ASSIGN_OR_RETURN(const auto corrected, corrections->Redact(id.ok() ? *id : article));
  if (!id.ok() && corrected) return *corrected;
  return id;
}

base::HttpResponse StoreRole::Impl::TakeDown(const base::HttpRequest& request) const {
  base::HttpResponse response;
  const auto id = RemoveText(request.Query("article"));
  response.status = HttpStatusFor(id.status());
  response.body = id.ok() ? "{\"article_id\":\"" + *id + "\"}\n" : ErrorJson(id.status());
  if (id.ok()) log.Info("taken_down", {{"article", *id}});
  return response;
}

void StoreRole::Impl::Run(const std::stop_token& stop) {
  bool worked = true;
  while (!stop.stop_requested()) {
    uint64_t asked = 0;
    bool waits = false;
    {
      const std::scoped_lock lock(idle_mutex);
      asked = idle_asked;
      waits = idle_asked != idle_answered;
    }
    const milliseconds wait = worked || waits ? milliseconds(0) : clock.RealDuration(kPollWaitMs);
    const auto round = loop->Round(wait, stop);
    if (!round.ok()) {
      log.Error("store_stopped", {{"why", round.status().ToString()}});
      running = false;
      Answer(asked, false);
      if (on_fatal) on_fatal(round.status());
      return;
    }
    worked = round->worked;
    Answer(asked, round->idle);
  }
}

StoreRole::StoreRole(const v1::StoreConfig& config, base::Sink& sink, base::Clock& clock, prometheus::Registry& registry,
                     base::Log& log, base::HttpServer& http, std::string state_dir)
    : impl_(std::make_unique<Impl>(WithDefaults(config), sink, clock, registry, log, http, std::move(state_dir))) {
  http.Handle("POST", "/api/v1/takedown", [impl = impl_.get()](const base::HttpRequest& request) { return impl->TakeDown(request); });
}

StoreRole::~StoreRole() {
  (void)Stop(milliseconds(0));
  impl_->api.Serve(nullptr, nullptr);
  impl_->correction_api.Serve(nullptr);
  impl_->server.Serve(nullptr, nullptr);
  impl_->trends->Serve(nullptr, nullptr);
  impl_->retag.Serve(nullptr);
  impl_->served = nullptr;
}

std::vector<std::string> StoreRole::Topics() {
  return {std::string(base::kTaggedTopic), std::string(base::kTaggedBackfillTopic)};
}
void StoreRole::SetSource(base::Source& source) { impl_->source = &source; }
void StoreRole::SetRetagSource(RetagSource make_source) { impl_->retag_source = std::move(make_source); }
void StoreRole::OnFatal(std::function<void(base::Status)> on_fatal) { impl_->on_fatal = std::move(on_fatal); }
void StoreRole::Reload(const v1::StoreConfig& config) {
  if (impl_->loop) impl_->loop->Reload(WithDefaults(config));
}
void StoreRole::SetErrorRates(std::shared_ptr<const ErrorRates> rates) {
  const std::scoped_lock lock(impl_->rates_mutex);
  impl_->rates = std::move(rates);
  if (impl_->query) impl_->query->SetErrorRates(impl_->rates);
}
grpc::Service& StoreRole::service() { return impl_->server.service(); }

base::Status StoreRole::Start() {
  Impl& impl = *impl_;
  if (impl.source == nullptr) return base::Internal("store: no source");
  RW_ASSIGN_OR_RETURN(impl.engine, OpenEngine(impl.config, impl.state_dir));
  impl.loop = std::make_unique<StoreLoop>(impl.config, *impl.engine, *impl.source, impl.sink, impl.clock, impl.registry,
                                          impl.log, impl.changes, impl.retag_source);
  RW_RETURN_IF_ERROR(impl.loop->Restore());
  const Engine& active = impl.loop->active();
  {
    const std::scoped_lock lock(impl.rates_mutex);
    impl.query = std::make_unique<Query>(active, impl.clock);
    impl.query->SetErrorRates(impl.rates);
  }
  impl.api.Serve(impl.query.get(), &active);
  impl.corrections = std::make_unique<Corrections>(*impl.engine, impl.clock);
  impl.correction_api.Serve(impl.corrections.get());
  impl.server.Serve(impl.query.get(), impl.corrections.get());
  impl.trends->Serve(&active, [loop = impl.loop.get()] { return loop->leading(); });
  impl.retag.Serve(impl.engine.get());
  impl.served = &active;
  impl.running = true;
  impl.thread = std::jthread([this](const std::stop_token& stop) { impl_->Run(stop); });
  return {};
}

base::Status StoreRole::Stop(milliseconds) {
  Impl& impl = *impl_;
  impl.changes.Close();  // ends the watches, which would hold the servers up
  if (impl.thread.joinable()) {
    impl.thread.request_stop();
    impl.source->Interrupt();
    impl.thread.join();
  }
  impl.running = false;
  if (impl.loop) impl.loop->Resign();
  return {};
}

bool StoreRole::Idle() const {
  const Impl& impl = *impl_;
  if (!impl.running) return false;
  std::unique_lock lock(impl.idle_mutex);
  const uint64_t mine = ++impl.idle_asked;
  impl.source->Interrupt();
  impl.idle_changed.wait_for(lock, kIdleWait, [&] { return impl.idle_answered >= mine; });
  return impl.idle_answered >= mine && impl.idle;
}

std::string StoreRole::NotReady() const {
  if (!impl_->running) return "store: not running";
  const std::string why = impl_->loop->NotReady();
  return why.empty() ? "" : "store: " + why;
}

base::Result<uint32_t> StoreRole::BeginRetag(const std::string& model_version) {
  if (!impl_->running) return base::Unavailable("the store is not running");
  return store::BeginRetag(*impl_->engine, model_version, impl_->clock.NowMs());
}

base::Result<RetagStatus> StoreRole::retag() const {
  if (!impl_->running) return base::Unavailable("the store is not running");
  return ReadRetag(*impl_->engine->Snapshot());
}

StoreCounts StoreRole::counts() const {
  StoreCounts out;
  if (!impl_->loop) return out;
  LoopCounts counted = impl_->loop->counts();
  out.received = counted.received;
  out.stored = counted.stored;
  out.dropped = std::move(counted.dropped);
  out.dead_lettered = counted.dead_lettered;
  out.alerts_opened = counted.alerts_opened;
  const auto view = impl_->loop->active().Snapshot();
  if (const auto row = ReadRow(*view, WindowKind::kAll, kAllSlice, 0); row.ok()) out.stories = row->Get(kAnySeries, Measure::kStories);
  if (auto digest = StateDigest(*view); digest.ok()) out.digest = std::move(digest).value();
  return out;
}

std::map<base::TopicPartition, int64_t> StoreRole::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  return impl_->loop->OnAssigned(partitions);
}
void StoreRole::OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) { impl_->loop->OnRevoked(partitions); }

}  // namespace racewatch::store
