#include "classify/classifier_service.h"

#include <grpcpp/grpcpp.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "classify/classifier_client.h"
#include "classify/label_metrics.h"
#include "classify/served_models.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"

namespace racewatch::classify {
namespace {

constexpr int kPushbackMs = 200;

DocumentView View(const v1::Document& document) {
  return {document.title(), document.text(), document.language()};
}

bool IsEmpty(const v1::Document& document) { return document.title().empty() && document.text().empty(); }

}  // namespace

struct ClassifierService::Impl final : v1::ClassifierService::CallbackService {
  struct Job {
    size_t documents;
    std::function<void(Scratch&)> run;
  };

  static prometheus::Counter& SecondTierCounter(prometheus::Registry& registry, const std::string& outcome) {
    return prometheus::BuildCounter()
        .Name("racewatch_classifier_second_tier_documents_total")
        .Help("Documents that the second tier read, and relevant ones that it left out: there was no time, or the reading failed.")
        .Register(registry)
        .Add({{"outcome", outcome}});
  }

  Impl(Options o, ServedModels& m, prometheus::Registry& registry)
      : options(o),
        models(m),
        metrics(registry, "classifier"),
        label_metrics(registry, m.Now().canary != nullptr),
        batch_documents(prometheus::BuildHistogram()
                            .Name("racewatch_classifier_batch_documents")
                            .Help("Documents per ClassifyBatch call.")
                            .Register(registry)
                            .Add({}, prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64})),
        queue_documents(base::MakeGauge(registry, "racewatch_classifier_queue_documents",
                                        "Documents accepted and not yet tagged.")),
        second_tier_read(SecondTierCounter(registry, "read")),
        second_tier_left_out(SecondTierCounter(registry, "left_out")) {
    for (size_t i = 0; i < options.threads; ++i)
      workers.emplace_back([this](std::stop_token stop) { Work(stop); });
  }

  ~Impl() override {
    for (auto& worker : workers) worker.request_stop();
    wake.notify_all();
  }

  void Work(const std::stop_token& stop) {
    Scratch scratch;
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, stop, [this] { return !queue.empty(); });
        if (queue.empty()) return;  // stopped, and nothing left that a caller waits for
        job = std::move(queue.front());
        queue.pop_front();
      }
      metrics.Heartbeat();
      job.run(scratch);
      const std::scoped_lock lock(mutex);
      documents_in_hand -= job.documents;
      queue_documents.Set(static_cast<double>(documents_in_hand));
      finished.notify_all();
    }
  }

  // False: the queue is full or draining; nothing was taken. A call of the operator (not `limited`) waits in a full queue.
  bool Enqueue(size_t documents, std::function<void(Scratch&)> run, bool limited = true) {
    const std::scoped_lock lock(mutex);
    if (draining || (limited && documents_in_hand > 0 && documents_in_hand + documents > options.queue_documents_max)) return false;
    documents_in_hand += documents;
    queue_documents.Set(static_cast<double>(documents_in_hand));
    queue.push_back({documents, std::move(run)});
    wake.notify_one();
    return true;
  }

  // INVALID_ARGUMENT when the batch is larger than the service takes.
  static base::Status CheckSize(const v1::ClassifyBatchRequest& request) {
    const auto documents = static_cast<size_t>(request.documents_size());
    if (documents > kBatchDocumentsMax)
      return base::InvalidArgument(std::to_string(documents) + " documents in a batch, at most " +
                                   std::to_string(kBatchDocumentsMax));
    if (const size_t bytes = request.ByteSizeLong(); bytes > kBatchRequestBytesMax)
      return base::InvalidArgument(std::to_string(bytes) + " bytes in a batch, at most " + std::to_string(kBatchRequestBytesMax));
    return {};
  }

  // Queues `run` for this batch and counts it, or says why not.
  base::Status Accept(const v1::ClassifyBatchRequest& request, std::function<void(Scratch&)> run) {
    base::Status status = CheckSize(request);
    const auto documents = static_cast<size_t>(request.documents_size());
    if (status.ok() && !Enqueue(documents, std::move(run))) status = base::ResourceExhausted("classifier queue is full");
    if (!status.ok()) {
      metrics.Error(status.code() == base::Code::kResourceExhausted ? "shed" : "bad_request");
      return status;
    }
    metrics.Received(static_cast<double>(documents));
    batch_documents.Observe(static_cast<double>(documents));
    return status;
  }

  grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
                                   const base::Status& why) {
    if (why.code() == base::Code::kResourceExhausted)
      context->AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(kPushbackMs));
    reactor->Finish(grpc::Status(static_cast<grpc::StatusCode>(why.code()), why.message()));
    return reactor;
  }

  grpc::ServerUnaryReactor* ClassifyBatch(grpc::CallbackServerContext* context, const v1::ClassifyBatchRequest* request,
                                          v1::ClassifyBatchResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const base::Status taken = Accept(*request, [this, context, request, response, reactor](Scratch& scratch) {
      if (context->IsCancelled()) {
        metrics.Dropped("cancelled", request->documents_size());
        reactor->Finish(grpc::Status::CANCELLED);
        return;
      }
      const ServedModels::Serving serving = models.Now();
      const std::vector<AnswerLabels> given = TagBatch(*serving.model, *request, scratch, response);
      if (!serving.canary || !models.TakesSample()) {
        reactor->Finish(grpc::Status::OK);
        return;
      }
      const v1::ClassifyBatchRequest kept = *request;  // the call's own memory goes when it is finished
      reactor->Finish(grpc::Status::OK);
      Compare(kept, given, *serving.canary, scratch);
    });
    return taken.ok() ? reactor : Refuse(context, reactor, taken);
  }

  // Returns the labels of each answer.
  std::vector<AnswerLabels> TagBatch(const Model& model, const v1::ClassifyBatchRequest& request, Scratch& scratch,
                                     v1::ClassifyBatchResponse* response) {
    const auto started = std::chrono::steady_clock::now();
    const auto until = started + options.second_tier_budget;
    std::vector<AnswerLabels> given(static_cast<size_t>(request.documents_size()));
    response->set_model_version(model.version());
    for (const v1::Document& document : request.documents()) {
      v1::ClassifyResult* result = response->add_results();
      result->set_id(document.id());
      if (IsEmpty(document)) {
        result->set_code(static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
        result->set_error("document without title and text");
        metrics.Error("empty_document");
        continue;
      }
      model.Classify(View(document), scratch, result->mutable_tags(), until);
      CountSecondTier(model, result->tags());
      given[static_cast<size_t>(response->results_size()) - 1] = LabelsOf(result->tags());
    }
    metrics.Sent(request.documents_size());
    label_metrics.Given(model, given);
    metrics.Duration(std::chrono::steady_clock::now() - started);
    return given;
  }

  void CountSecondTier(const Model& model, const v1::Tags& tags) {
    if (!tags.second_tier().empty()) second_tier_read.Increment();
    else if (model.second_tier() && tags.relevance().label()) second_tier_left_out.Increment();
  }

  // What the canary says of the same documents, beside the answer given.
  void Compare(const v1::ClassifyBatchRequest& request, const std::vector<AnswerLabels>& given, Comparison& canary, Scratch& scratch) {
    v1::Tags tags;
    const auto until = std::chrono::steady_clock::now() + options.second_tier_budget;
    for (int i = 0; i < request.documents_size(); ++i) {
      const v1::Document& document = request.documents(i);
      if (IsEmpty(document)) continue;
      canary.model()->Classify(View(document), scratch, &tags, until);
      const AnswerLabels labels = LabelsOf(tags);
      canary.Add(given[static_cast<size_t>(i)], labels);
      label_metrics.Compared(given[static_cast<size_t>(i)], labels);
    }
  }

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const bool taken = Enqueue(1, [this, request, response, reactor](Scratch& scratch) {
      const std::vector<std::string> labels(request->labels().begin(), request->labels().end());
      const base::Status status = models.Now().model->Explain(View(request->document()), labels, scratch, response);
      reactor->Finish(grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message()));
    });
    if (taken) return reactor;
    metrics.Error("shed");
    return Refuse(context, reactor, base::ResourceExhausted("classifier queue is full"));
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest*,
                                     v1::GetModelResponse* response) override {
    const ServedModels::Serving serving = models.Now();
    response->set_model_version(serving.model->version());
    response->set_taxonomy_version(std::string(base::kTaxonomyVersion));
    response->set_sha256(serving.model->sha256());
    response->set_features(serving.model->features());
    response->set_card(serving.model->card());
    response->set_previous_model_version(models.previous_version());
    for (std::string& label : serving.model->labels()) response->add_labels(std::move(label));
    if (serving.canary) FillCanary(*serving.canary, response->mutable_canary());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  void FillCanary(const Comparison& canary, v1::CanaryStatus* out) const {
    out->set_model_version(canary.model()->version());
    out->set_percent(models.canary_percent());
    out->set_documents(canary.documents());
    for (size_t i = 0; i < kAnswerLabels; ++i) {
      const Comparison::Counts counts = canary.Of(i);
      if (counts.both + counts.only_active + counts.only_canary == 0) continue;
      v1::CanaryDifference* difference = out->add_differences();
      difference->set_label(AnswerLabelNames()[i]);
      difference->set_both(counts.both);
      difference->set_only_active(counts.only_active);
      difference->set_only_canary(counts.only_canary);
    }
  }

  // Loading reads files: a worker does it, no thread of the server.
  template <typename Response>
  grpc::ServerUnaryReactor* Exchange(grpc::CallbackServerContext* context, Response* response,
                                     std::function<base::Result<ServedModels::Change>()> change) {
    auto* reactor = context->DefaultReactor();
    const bool taken = Enqueue(1, [response, reactor, change = std::move(change)](Scratch&) {
      const auto changed = change();
      if (changed.ok()) {
        response->set_model_version(changed->model->version());
        response->set_previous_model_version(changed->previous_version);
        if constexpr (requires { response->set_sha256(""); }) response->set_sha256(changed->model->sha256());
      }
      reactor->Finish(grpc::Status(static_cast<grpc::StatusCode>(changed.status().code()), changed.status().message()));
    }, false);
    return taken ? reactor : Refuse(context, reactor, base::Unavailable("classifier is stopping"));
  }

  grpc::ServerUnaryReactor* ReloadModel(grpc::CallbackServerContext* context, const v1::ReloadModelRequest* request,
                                        v1::ReloadModelResponse* response) override {
    return Exchange(context, response, [this, request] { return models.ReloadFile(request->file()); });
  }

  grpc::ServerUnaryReactor* RollbackModel(grpc::CallbackServerContext* context, const v1::RollbackModelRequest*,
                                          v1::RollbackModelResponse* response) override {
    return Exchange(context, response, [this] { return models.Rollback(); });
  }

  const Options options;
  ServedModels& models;
  mutable std::mutex mutex;
  base::StageMetrics metrics;
  LabelMetrics label_metrics;
  prometheus::Histogram& batch_documents;
  prometheus::Gauge& queue_documents;
  prometheus::Counter& second_tier_read;
  prometheus::Counter& second_tier_left_out;
  std::condition_variable_any wake;
  std::condition_variable finished;
  std::deque<Job> queue;
  size_t documents_in_hand = 0;
  bool draining = false;
  std::vector<std::jthread> workers;
};

// Destruction waits for the calls in hand, whose callbacks run first.
class ClassifierService::LocalCalls final : public ClassifierClient {
 public:
  explicit LocalCalls(Impl& impl) : impl_(impl) {}
  ~LocalCalls() override {
    closing_ = true;
    std::unique_lock lock(mutex_);
    none_left_.wait(lock, [this] { return calls_ == 0; });
  }

  void ClassifyBatch(v1::ClassifyBatchRequest request, std::chrono::milliseconds deadline, Callback callback) override {
    struct Call {
      v1::ClassifyBatchRequest request;
      Callback callback;
      std::chrono::steady_clock::time_point deadline;
    };
    auto call = std::make_shared<Call>(Call{std::move(request), std::move(callback), std::chrono::steady_clock::now() + deadline});
    Began();
    const base::Status taken = impl_.Accept(call->request, [this, call, &impl = impl_](Scratch& scratch) {
      Reply reply = MakeReply();
      if (closing_ || std::chrono::steady_clock::now() > call->deadline) {
        impl.metrics.Dropped("cancelled", call->request.documents_size());
        reply.status = closing_ ? base::Cancelled("classifier: stopping") : base::DeadlineExceeded("classifier: not in time");
        call->callback(std::move(reply));
        Ended();
        return;
      }
      const ServedModels::Serving serving = impl.models.Now();
      const std::vector<AnswerLabels> given = impl.TagBatch(*serving.model, call->request, scratch, &reply.response);
      call->callback(std::move(reply));
      Ended();  // this object may be gone from here on
      if (serving.canary && impl.models.TakesSample()) impl.Compare(call->request, given, *serving.canary, scratch);
    });
    if (taken.ok()) return;
    Reply reply = MakeReply();
    reply.status = taken.Annotate("classifier");
    if (taken.code() == base::Code::kResourceExhausted) reply.pushback = std::chrono::milliseconds(kPushbackMs);
    call->callback(std::move(reply));
    Ended();
  }

 private:
  static Reply MakeReply() {
    Reply reply;
    reply.was_connected = true;
    return reply;
  }
  void Began() {
    const std::scoped_lock lock(mutex_);
    ++calls_;
  }
  void Ended() {
    const std::scoped_lock lock(mutex_);
    if (--calls_ == 0) none_left_.notify_all();
  }

  Impl& impl_;
  std::mutex mutex_;
  std::condition_variable none_left_;
  size_t calls_ = 0;
  std::atomic<bool> closing_ = false;
};

ClassifierService::ClassifierService(Options options, ServedModels& models, prometheus::Registry& registry)
    : impl_(std::make_unique<Impl>(options, models, registry)) {}
ClassifierService::~ClassifierService() = default;

grpc::Service& ClassifierService::service() { return *impl_; }
std::unique_ptr<ClassifierClient> ClassifierService::LocalClient() { return std::make_unique<LocalCalls>(*impl_); }

base::Status ClassifierService::Drain(std::chrono::milliseconds timeout) {
  std::unique_lock lock(impl_->mutex);
  impl_->draining = true;
  if (impl_->finished.wait_for(lock, timeout, [this] { return impl_->documents_in_hand == 0; })) return {};
  return base::DeadlineExceeded("classifier: batches still in work at the end of draining");
}

bool ClassifierService::Idle() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->documents_in_hand == 0;
}

}  // namespace racewatch::classify
