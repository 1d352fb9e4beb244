// ClassifyBatch over gRPC on loopback, client and server in this process on the same cores, four calls of 32
// documents in flight as the tagger does it; beside it the same batches through the local client of `racewatch up`,
// which is what remains when nothing is serialised. Articles of 6 KB, one or ten of ten relevant.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <condition_variable>
#include <mutex>

#include "base/grpc_server.h"
#include "base/log.h"
#include "classify/classifier_client.h"
#include "classify/classifier_service.h"
#include "classify/model/model.h"
#include "classify/served_models.h"
#include "tests/bench/labelled_articles.h"

namespace racewatch::classify {
namespace {

constexpr size_t kInFlight = 4;

// `size` documents each; all articles occur.
std::vector<v1::ClassifyBatchRequest> MakeBatches(size_t size, int relevant_tenths, const char** source) {
  const auto [articles, from] = bench::MakeLabelledArticles(relevant_tenths);
  *source = from;
  std::vector<v1::ClassifyBatchRequest> batches(articles.size() / size);
  for (size_t i = 0; i < batches.size() * size; ++i) {
    auto* document = batches[i / size].add_documents();
    document->set_id(std::to_string(i));
    document->set_title(articles[i].title);
    document->set_text(articles[i].text);
    document->set_language("en");
  }
  return batches;
}

// Keeps kInFlight calls going.
class Caller {
 public:
  explicit Caller(ClassifierClient& client) : client_(client) {}
  void Call(v1::ClassifyBatchRequest request) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ < kInFlight; });
    ++in_flight_;
    lock.unlock();
    client_.ClassifyBatch(std::move(request), std::chrono::seconds(60), [this](const ClassifierClient::Reply& reply) {
      const std::scoped_lock ended(mutex_);
      failed_ += !reply.status.ok();
      --in_flight_;
      changed_.notify_all();
    });
  }
  // How many calls failed, once all have ended.
  size_t Finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
    return failed_;
  }

 private:
  ClassifierClient& client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t in_flight_ = 0;
  size_t failed_ = 0;
};

void Run(benchmark::State& state, bool local) {
  base::Log log({.level = base::LogLevel::kError});
  const auto models = ServedModels::Load({.path = DefaultModelPath()}, log);
  if (!models.ok()) return state.SkipWithError(models.status().message().c_str());
  prometheus::Registry registry;
  ClassifierService service({2, 1024}, **models, registry);
  base::GrpcServer server({"127.0.0.1:0"});
  server.AddService(kClassifierServiceName, service.service());
  if (!server.Start().ok()) return state.SkipWithError("no server");
  const auto channel = MakeClassifierChannel("127.0.0.1:" + std::to_string(server.port()));
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) return state.SkipWithError("not connected");
  const auto client = local ? service.LocalClient() : MakeGrpcClassifierClient(channel);
  const char* source = nullptr;
  const auto batches = MakeBatches(static_cast<size_t>(state.range(0)), static_cast<int>(state.range(1)), &source);
  if (batches.empty()) return state.SkipWithError("no articles");
  state.SetLabel(source);
  Caller caller(*client);
  size_t next = 0;
  for (auto _ : state) caller.Call(batches[next++ % batches.size()]);
  if (caller.Finish() > 0) state.SkipWithError("a call failed");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_ClassifyBatch(benchmark::State& state) { Run(state, false); }
void BM_ClassifyLocal(benchmark::State& state) { Run(state, true); }
BENCHMARK(BM_ClassifyBatch)->ArgNames({"documents", "relevant_tenths"})->ArgsProduct({{16, 32, 64}, {1}})->Args({32, 10})->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(BM_ClassifyLocal)->ArgNames({"documents", "relevant_tenths"})->ArgsProduct({{32}, {1, 10}})->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace racewatch::classify

BENCHMARK_MAIN();
