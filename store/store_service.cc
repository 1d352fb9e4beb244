#include "store/store_service.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "racewatch/v1/store_service.grpc.pb.h"
#include "store/corrections.h"
#include "store/query.h"

namespace racewatch::store {
namespace {

constexpr size_t kPoolThreads = 2;
constexpr size_t kWatchChunk = 50;

grpc::Status ToGrpc(const base::Status& status) {
  return status.ok() ? grpc::Status::OK : grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message());
}

class Pool {
 public:
  Pool() {
    for (size_t i = 0; i < kPoolThreads; ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { Work(stop); });
  }
  ~Pool() {
    for (auto& thread : threads_) thread.request_stop();
    changed_.notify_all();
    threads_.clear();  // joins; what is queued still runs, so that every call is finished
  }
  bool Run(std::function<void()> job, bool bounded = true) {
    const std::scoped_lock lock(mutex_);
    if (bounded && jobs_.size() >= kCallsMax) return false;
    jobs_.push_back(std::move(job));
    changed_.notify_one();
    return true;
  }

 private:
  void Work(const std::stop_token& stop) {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
      if (jobs_.empty()) return;
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
  }
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::jthread> threads_;
};

class WatchBase {
 public:
  virtual ~WatchBase() = default;
  virtual void Wake() = 0;
};

// The open watches; wakes them when the store has something new.
class Watches {
 public:
  bool Add(std::shared_ptr<WatchBase> watch) {
    const std::scoped_lock lock(mutex_);
    if (watches_.size() >= kWatchesMax) return false;
    watches_.insert(std::move(watch));
    return true;
  }
  void Remove(const std::shared_ptr<WatchBase>& watch) {
    const std::scoped_lock lock(mutex_);
    watches_.erase(watch);
  }
  void WakeAll() {
    std::vector<std::shared_ptr<WatchBase>> all;
    {
      const std::scoped_lock lock(mutex_);
      all.assign(watches_.begin(), watches_.end());
    }
    for (const auto& watch : all) watch->Wake();
  }

 private:
  std::mutex mutex_;
  std::set<std::shared_ptr<WatchBase>> watches_;
};

// One server stream. One of three things is true: a write is with gRPC, a pump is queued, or it sleeps until woken.
template <typename Response>
class Watch final : public grpc::ServerWriteReactor<Response>, public WatchBase,
                    public std::enable_shared_from_this<Watch<Response>> {
 public:
  using Next = std::function<base::Status(std::vector<Response>*)>;
  Watch(Pool& pool, Watches& watches, Changes& changes, Next next)
      : pool_(pool), watches_(watches), changes_(changes), next_(std::move(next)) {}

  void Begin() {
    self_ = this->shared_from_this();
    if (!watches_.Add(self_)) {
      Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many open watches"});
      return;
    }
    Schedule();
  }
  void Wake() override {
    {
      const std::scoped_lock lock(mutex_);
      if (busy_) {
        again_ = true;
        return;
      }
      busy_ = true;
    }
    Queue();
  }
  void OnWriteDone(bool ok) override {
    found_.pop_front();
    if (!ok) Finish(grpc::Status::CANCELLED);
    else Queue();
  }
  void OnCancel() override {
    {
      const std::scoped_lock lock(mutex_);
      cancelled_ = true;
    }
    Wake();
  }
  void OnDone() override {
    watches_.Remove(self_);
    self_.reset();  // this may delete us: nothing after it
  }

 private:
  void Schedule() {
    const std::scoped_lock lock(mutex_);
    busy_ = true;
    Queue();
  }
  void Queue() {
    pool_.Run([self = this->shared_from_this()] { self->Pump(); }, false);
  }
  void Finish(const grpc::Status& status) {
    {
      const std::scoped_lock lock(mutex_);
      if (finished_) return;
      finished_ = busy_ = true;
    }
    grpc::ServerWriteReactor<Response>::Finish(status);
  }
  void Pump() {
    for (;;) {
      {
        const std::scoped_lock lock(mutex_);
        if (finished_) return;
        again_ = false;
        if (cancelled_) found_.clear();
      }
      if (IsCancelled()) return Finish(grpc::Status::CANCELLED);
      if (changes_.closed()) return Finish({grpc::StatusCode::UNAVAILABLE, "the store is stopping"});
      if (found_.empty()) {
        std::vector<Response> more;
        if (const auto status = next_(&more); !status.ok()) return Finish(ToGrpc(status));
        found_.assign(std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
      }
      if (!found_.empty()) {
        this->StartWrite(&found_.front());
        return;
      }
      const std::scoped_lock lock(mutex_);
      if (again_) continue;
      busy_ = false;
      return;
    }
  }
  bool IsCancelled() {
    const std::scoped_lock lock(mutex_);
    return cancelled_;
  }

  Pool& pool_;
  Watches& watches_;
  Changes& changes_;
  const Next next_;
  std::deque<Response> found_;  // of whoever is busy
  std::mutex mutex_;
  bool busy_ = false;
  bool again_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
  std::shared_ptr<Watch> self_;
};

using Base = v1::StoreService::CallbackService;

}  // namespace

struct StoreServer::Impl final : Base {
  explicit Impl(Changes& c) : changes(c), waker([this](const std::stop_token& stop) { WakeWatches(stop); }) {}

  void WakeWatches(const std::stop_token& stop) {
    uint64_t seen = 0;
    while (!stop.stop_requested()) {
      const uint64_t now = changes.Wait(seen, std::chrono::milliseconds(200));
      if (now == seen) continue;
      seen = now;
      watches.WakeAll();
      if (changes.closed()) return;
    }
  }

  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const Request* request, Response* response,
                                  base::Status (Query::*ask)(const Request&, Response*) const) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const bool taken = pool.Run([=, this] {
      const Query* q = query;
      reactor->Finish(q ? ToGrpc((q->*ask)(*request, response)) : ToGrpc(base::Unavailable("the store is starting")));
    });
    if (!taken) reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls, try later"});
    return reactor;
  }

  template <typename Response>
  grpc::ServerWriteReactor<Response>* Stream(typename Watch<Response>::Next next) {
    const auto watch = std::make_shared<Watch<Response>>(pool, watches, changes, std::move(next));
    watch->Begin();
    return watch.get();
  }

  grpc::ServerUnaryReactor* GetTrends(grpc::CallbackServerContext* c, const v1::GetTrendsRequest* in, v1::GetTrendsResponse* out) override {
    return Unary(c, in, out, &Query::GetTrends);
  }
  grpc::ServerUnaryReactor* CompareTrends(grpc::CallbackServerContext* c, const v1::CompareTrendsRequest* in, v1::CompareTrendsResponse* out) override {
    return Unary(c, in, out, &Query::CompareTrends);
  }
  grpc::ServerUnaryReactor* ListStories(grpc::CallbackServerContext* c, const v1::ListStoriesRequest* in, v1::ListStoriesResponse* out) override {
    return Unary(c, in, out, &Query::ListStories);
  }
  grpc::ServerUnaryReactor* GetStory(grpc::CallbackServerContext* c, const v1::GetStoryRequest* in, v1::GetStoryResponse* out) override {
    return Unary(c, in, out, &Query::GetStory);
  }
  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* c, const v1::ListAlertsRequest* in, v1::ListAlertsResponse* out) override {
    return Unary(c, in, out, &Query::ListAlerts);
  }
  grpc::ServerUnaryReactor* ListQueries(grpc::CallbackServerContext* c, const v1::ListQueriesRequest* in, v1::ListQueriesResponse* out) override {
    return Unary(c, in, out, &Query::ListQueries);
  }
  grpc::ServerUnaryReactor* WhereIs(grpc::CallbackServerContext* c, const v1::WhereIsRequest* in, v1::WhereIsResponse* out) override {
    return Unary(c, in, out, &Query::WhereIs);
  }
  grpc::ServerUnaryReactor* GetCoverage(grpc::CallbackServerContext* c, const v1::GetCoverageRequest* in, v1::GetCoverageResponse* out) override {
    return Unary(c, in, out, &Query::GetCoverage);
  }

  grpc::ServerUnaryReactor* ListCorrections(grpc::CallbackServerContext* c, const v1::ListCorrectionsRequest* in, v1::ListCorrectionsResponse* out) override {
    return Unary(c, in, out, &Query::ListCorrections);
  }
  grpc::ServerUnaryReactor* SampleArticles(grpc::CallbackServerContext* c, const v1::SampleArticlesRequest* in, v1::SampleArticlesResponse* out) override {
    return Unary(c, in, out, &Query::SampleArticles);
  }
  grpc::ServerUnaryReactor* AddCorrection(grpc::CallbackServerContext* context, const v1::AddCorrectionRequest* in, v1::AddCorrectionResponse* out) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const bool taken = pool.Run([=, this] {
      Corrections* c = corrections;
      reactor->Finish(ToGrpc(c ? c->Add(*in, out) : base::Unavailable("the store is starting")));
    });
    if (!taken) reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls, try later"});
    return reactor;
  }

  grpc::ServerWriteReactor<v1::WatchArticlesResponse>* WatchArticles(grpc::CallbackServerContext*, const v1::WatchArticlesRequest* in) override {
    struct State {
      bool begun = false;
      v1::WatchArticlesRequest request;
      CompiledFilter filter;
      uint64_t cursor = 0;
    };
    const auto state = std::make_shared<State>();
    state->request = *in;
    return Stream<v1::WatchArticlesResponse>([this, state](std::vector<v1::WatchArticlesResponse>* out) -> base::Status {
      const Query* q = query;
      if (q == nullptr) return base::Unavailable("the store is starting");
      if (!state->begun) {
        RW_ASSIGN_OR_RETURN(state->filter, q->Compile(state->request.filter()));
        RW_ASSIGN_OR_RETURN(state->cursor, q->ArticleCursor(state->request.resume_token()));
        state->begun = true;
      }
      uint64_t before = 0;
      do {
        before = state->cursor;
        RW_RETURN_IF_ERROR(q->NextArticles(state->filter, kWatchChunk, &state->cursor, out));
      } while (out->empty() && state->cursor != before);
      return {};
    });
  }

  grpc::ServerWriteReactor<v1::WatchAlertsResponse>* WatchAlerts(grpc::CallbackServerContext*, const v1::WatchAlertsRequest* in) override {
    struct State {
      bool begun = false;
      v1::WatchAlertsRequest request;
      uint64_t cursor = 0;
    };
    const auto state = std::make_shared<State>();
    state->request = *in;
    return Stream<v1::WatchAlertsResponse>([this, state](std::vector<v1::WatchAlertsResponse>* out) -> base::Status {
      const Query* q = query;
      if (q == nullptr) return base::Unavailable("the store is starting");
      if (!state->begun) {
        RW_ASSIGN_OR_RETURN(state->cursor, q->AlertCursor(state->request.resume_token()));
        state->begun = true;
      }
      return q->NextAlerts(state->request.rule(), kWatchChunk, &state->cursor, out);
    });
  }

  Changes& changes;
  std::atomic<const Query*> query = nullptr;
  std::atomic<Corrections*> corrections = nullptr;
  Watches watches;
  Pool pool;
  std::jthread waker;  // last: ends first
};

StoreServer::StoreServer(Changes& changes) : impl_(std::make_unique<Impl>(changes)) {}
StoreServer::~StoreServer() = default;
grpc::Service& StoreServer::service() { return *impl_; }
void StoreServer::Serve(const Query* query, Corrections* corrections) {
  impl_->query = query;
  impl_->corrections = corrections;
}

}  // namespace racewatch::store
