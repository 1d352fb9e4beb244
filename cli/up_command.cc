// `racewatch up`: every role in one process over the embedded log. `--demo` replays the bundled week.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bus/embedded_log.h"
#include "base/bus/topics.h"
#include "base/grpc_server.h"
#include "classify/classifier_client.h"
#include "classify/classifier_role.h"
#include "classify/classifier_service.h"
#include "classify/tagger_role.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/dead_letters.h"
#include "cli/demo_driver.h"
#include "cli/demo_server.h"
#include "cli/demo_week.h"
#include "cli/error_rates.h"
#include "cli/model_flags.h"
#include "cli/process.h"
#include "cli/retag_service.h"
#include "cli/store_reload.h"
#include "ingest/ingest_role.h"
#include "store/store_role.h"

namespace racewatch::cli {
namespace {

struct UpFlags {
  RoleFlags role;
  bool demo = false;
  bool once = false;
  double speed = -1;
  std::string second_tier;
};

v1::UpConfig WithDefaults(v1::UpConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8470");
  if (config.http().threads() == 0) config.mutable_http()->set_threads(16);
  if (config.grpc_listen().empty()) config.set_grpc_listen("127.0.0.1:9470");
  *config.mutable_ingest() = ingest::WithDefaults(config.ingest());
  *config.mutable_classifier() = classify::WithDefaults(config.classifier());
  *config.mutable_tagger() = classify::WithDefaults(config.tagger());
  if (config.store().model().empty()) config.mutable_store()->set_model(config.classifier().model());  // what tags here
  *config.mutable_store() = store::WithDefaults(config.store());
  return config;
}

void Validate(const v1::UpConfig& config, base::Problems* problems) {
  base::CheckListen("http.listen", config.http().listen(), problems);
  base::CheckListen("grpc_listen", config.grpc_listen(), problems);
  if (config.bus().has_kafka()) CheckKafkaBus(config.bus(), problems);
  const auto part = [problems](const std::string& name, const auto& validate, const auto& sub) {
    base::Problems inner;
    validate(sub, &inner);
    for (const std::string& line : inner.lines()) {
      const size_t colon = line.find(": ");
      problems->Add(name + "." + line.substr(0, colon), line.substr(colon + 2));
    }
  };
  part("ingest", ingest::ValidateIngestConfig, config.ingest());
  if (config.ingest().share_feeds()) problems->Add("ingest.share_feeds", "is for `racewatch ingest` processes over Kafka");
  part("classifier", classify::ValidateClassifierConfig, config.classifier());
  part("tagger", classify::ValidateTaggerConfig, config.tagger());
  part("store", store::ValidateStoreConfig, config.store());
}

// The classifier of this same process, without a socket.
class InProcessClassifier final : public classify::ClassifierClient, public base::Component {
 public:
  explicit InProcessClassifier(classify::ClassifierRole& role) : role_(role) {}
  std::string name() const override { return "classifier_client"; }
  base::Status Start() override {
    inner_ = role_.LocalClient();
    return {};
  }
  base::Status Stop(std::chrono::milliseconds) override {
    inner_.reset();
    return {};
  }
  void ClassifyBatch(v1::ClassifyBatchRequest request, std::chrono::milliseconds deadline, Callback callback) override {
    inner_->ClassifyBatch(std::move(request), deadline, std::move(callback));
  }

 private:
  classify::ClassifierRole& role_;
  std::unique_ptr<classify::ClassifierClient> inner_;
};

// What every role needs, made in dependency order; destroyed in reverse.
struct Pipeline {
  Pipeline(const v1::UpConfig& config, base::Clock& clock, Process& process, const std::string& state)
      : classifier(config.classifier(), process.registry(), process.log()),
        server({config.grpc_listen(), config.classifier().reflection() || config.store().reflection()}),
        client(classifier),
        config_(config),
        clock_(clock),
        process_(process),
        state_(state) {}

  base::Status Make() {
    RW_RETURN_IF_ERROR(classifier.Load());
    RW_ASSIGN_OR_RETURN(bus, Bus::Open(config_.bus(), "up", state_ + "/log", clock_, process_.log()));
    dead_letters = std::make_unique<DeadLetters>(*bus);
    dead_letters->ServeOn(process_.http());
    RW_ASSIGN_OR_RETURN(tagger_sink, bus->MakeSink());
    RW_ASSIGN_OR_RETURN(ingest_sink, bus->MakeSink());
    RW_ASSIGN_OR_RETURN(store_sink, bus->MakeSink());
    const auto fatal = [this](base::Status status) { process_.RequestStop(std::move(status)); };

    store = std::make_unique<store::StoreRole>(config_.store(), *store_sink, clock_, process_.registry(), process_.log(),
                                               process_.http(), state_ + "/store");
    store->OnFatal(fatal);
    RW_RETURN_IF_ERROR(GiveErrorRates(config_.store().model(), *store, process_.log()));
    base::SourceOptions store_options;
    store_options.topics = store::StoreRole::Topics();
    store_options.listener = store.get();
    RW_ASSIGN_OR_RETURN(store_source, bus->MakeSource(store_options));
    store->SetSource(*store_source);
    store->SetRetagSource([this](base::AssignmentListener& listener) { return MakeRetagSource(*bus, listener); });
    retag = std::make_unique<RetagService>(process_.http(), *bus, *store, classifier, clock_, process_.log());

    tagger = std::make_unique<classify::TaggerRole>(config_.tagger(), client, *tagger_sink, clock_, process_.registry(),
                                                    process_.log());
    tagger->OnFatal(fatal);
    base::SourceOptions tagger_options;
    tagger_options.topics = {std::string(base::kArticlesTopic), std::string(base::kBackfillTopic)};
    tagger_options.group = bus->Group("tagger");
    tagger_options.listener = tagger.get();
    RW_ASSIGN_OR_RETURN(tagger_source, bus->MakeSource(tagger_options));
    tagger->SetSource(*tagger_source, tagger_options.group);

    ingest = std::make_unique<ingest::IngestRole>(config_.ingest(), *ingest_sink, clock_, process_.registry(), process_.log(),
                                                  process_.http(), state_ + "/ingest");
    ingest->OnFatal(fatal);
    server.AddService(classify::kClassifierServiceName, classifier.service());
    server.AddService(store::kStoreServiceName, store->service());
    return {};
  }

  void AddTo(Process& process) {
    for (base::Sink* sink : {tagger_sink.get(), ingest_sink.get(), store_sink.get()}) closers.push_back(std::make_unique<SinkCloser>(*sink));
    for (base::Source* source : {store_source.get(), tagger_source.get()}) closers.push_back(std::make_unique<SourceCloser>(*source));
    for (auto& closer : closers) process.Add(*closer);
    process.Add(server);
    process.Add(client);
    process.Add(classifier);
    process.Add(*store);
    process.Add(*tagger);
    process.Add(*retag);
    process.Add(*ingest);
  }

  // Upstream first: once a stage is idle, only the stages behind it can still have work.
  bool Idle() {
    if (!ingest->Idle()) return false;
    if (base::EmbeddedLog* log = bus->embedded()) {
      for (const auto topic : {base::kArticlesTopic, base::kBackfillTopic})
        for (int32_t p = 0; p < log->partitions(std::string(topic)); ++p) {
          const base::TopicPartition where{std::string(topic), p};
          const auto range = log->Range(where);
          const auto next = log->Committed(bus->Group("tagger"), where);
          if (!range.ok() || !next.ok() || range->end > std::max(*next, range->start)) return false;
        }
    }
    return tagger->Idle() && store->Idle();
  }

  classify::ClassifierRole classifier;
  base::GrpcServer server;
  InProcessClassifier client;
  std::unique_ptr<Bus> bus;
  std::unique_ptr<DeadLetters> dead_letters;
  std::unique_ptr<base::Sink> tagger_sink, ingest_sink, store_sink;
  std::unique_ptr<store::StoreRole> store;
  std::unique_ptr<base::Source> store_source;
  std::unique_ptr<classify::TaggerRole> tagger;
  std::unique_ptr<base::Source> tagger_source;
  std::unique_ptr<RetagService> retag;
  std::unique_ptr<ingest::IngestRole> ingest;
  std::vector<std::unique_ptr<base::Component>> closers;

 private:
  const v1::UpConfig& config_;
  base::Clock& clock_;
  Process& process_;
  const std::string state_;
};

// Opening state: locked by another process, damaged, or a missing model are all I/O to the caller.
ExitCode MakeExitCode(const base::Status& status) {
  return status.code() == base::Code::kInvalidArgument ? kExitConfig : kExitIo;
}

// The line of `--once`: of this run, ingested = stored + dropped + dead_lettered.
std::string Summary(const Pipeline& pipeline) {
  const auto ingested = pipeline.ingest->counts();
  const auto stored = pipeline.store->counts();
  std::map<std::string, uint64_t> dropped = ingested.dropped;
  for (const auto& [reason, n] : stored.dropped) dropped[reason] += n;
  nlohmann::ordered_json line{{"ingested", ingested.entries},
                              {"tagged", pipeline.tagger->tagged()},
                              {"stored", stored.stored},
                              {"dropped", dropped},
                              {"dead_lettered", ingested.dead_lettered + pipeline.tagger->dead_lettered() + stored.dead_lettered},
                              {"stories", stored.stories},
                              {"alerts", stored.alerts_opened},
                              {"digest", stored.digest}};
  return line.dump();
}

// What SIGHUP does: the model file and the store's part of the configuration are read again.
void Reload(const UpFlags& flags, Pipeline& pipeline, Process& process) {
  (void)pipeline.classifier.Reload();
  v1::UpConfig next;
  if (LoadConfigFlag(flags.role, &next) < 0) ReloadStore(WithDefaults(std::move(next)).store(), *pipeline.store, process.log());
}

int RunLive(const UpFlags& flags, const v1::UpConfig& config) {
  Process process("up", config.log(), config.http());
  base::SystemClock clock;
  Pipeline pipeline(config, clock, process, flags.role.state);
  if (const auto status = pipeline.Make(); !status.ok()) return Fail(MakeExitCode(status), status.message());
  pipeline.AddTo(process);
  process.http().SetReadiness([&pipeline] {
    const std::string why = pipeline.store->NotReady();
    return why.empty() ? pipeline.tagger->NotReady() : why;
  });
  return process.Run([&] { Reload(flags, pipeline, process); });
}

int RunDemo(const UpFlags& flags, v1::UpConfig config) {
  Process process("up", config.log(), config.http());
  base::SteppedClock clock(0);
  DemoServer week(clock, DemoDataDir());
  if (const auto status = week.Start(); !status.ok()) return Fail(kExitIo, status.message());
  clock.Set(week.start_ms());
  config.mutable_ingest()->clear_feeds();
  for (auto& feed : week.Feeds()) *config.mutable_ingest()->add_feeds() = std::move(feed);
  config.mutable_ingest()->set_connect_to(week.address());
  config.mutable_ingest()->set_requests_in_flight_max(1);  // the same order of requests in every run
  week.ServePagesOn(process.http());

  Pipeline pipeline(config, clock, process, flags.role.state);
  if (const auto status = pipeline.Make(); !status.ok()) return Fail(MakeExitCode(status), status.message());
  pipeline.AddTo(process);
  process.http().SetReadiness([&pipeline] {
    const std::string why = pipeline.store->NotReady();
    return why.empty() ? pipeline.tagger->NotReady() : why;
  });
  DemoDriver::Options options;
  options.start_ms = week.start_ms();
  options.end_ms = week.end_ms() + 3600'000;  // past the watermark of the last alert steps
  options.speed = flags.speed >= 0 ? flags.speed : (flags.once ? 0 : 2000);
  std::string summary;
  DemoDriver driver(options, clock, [&pipeline] { return pipeline.Idle(); }, [&] {
    process.log().Info("demo_week_over", {{"speed", options.speed}});
    if (!flags.once) return;  // the page and the API stay up
    summary = Summary(pipeline);
    process.RequestStop(base::Status::Ok());
  });
  process.Add(driver);
  const int code = process.Run([&] { Reload(flags, pipeline, process); });
  if (!summary.empty()) std::puts(summary.c_str());
  week.Stop();
  return code;
}

}  // namespace

int RunUp(int argc, char** argv) {
  CLI::App app("Runs every role in one process over a durable embedded log.\nusage: racewatch up [--config F] [--demo] [--state DIR] [--second-tier FILE]",
               "racewatch up");
  UpFlags flags;
  AddRoleFlags(app, &flags.role, true, true);
  app.add_flag("--demo", flags.demo, "replay the bundled demo week through the real ingest path");
  app.add_option("--speed", flags.speed, "with --demo: times real time, 0 as fast as it goes (default 2000; 0 with --once)")
      ->check(CLI::NonNegativeNumber);
  AddSecondTierFlag(app, &flags.second_tier);
  app.add_flag("--once", flags.once, "with --demo: drain the week, print one JSON line, exit");
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if ((flags.once || flags.speed >= 0) && !flags.demo) return Fail(kExitUsage, "up: --once and --speed go with --demo");

  v1::UpConfig config;
  if (const int code = LoadConfigFlag(flags.role, &config); code >= 0) return code;
  if (!flags.role.http.empty()) config.mutable_http()->set_listen(flags.role.http);
  if (!flags.role.grpc.empty()) config.set_grpc_listen(flags.role.grpc);
  if (!flags.second_tier.empty()) config.mutable_classifier()->mutable_second_tier()->set_model(flags.second_tier);
  if (flags.demo) {
    config.clear_bus();
    config.mutable_ingest()->clear_opml();
    config.mutable_ingest()->clear_feeds();
    // Stands for the feeds of the week, whose addresses are known once its server runs.
    config.mutable_ingest()->add_feeds()->set_url("http://127.0.0.1/demo");
    config.mutable_ingest()->set_allow_private_addresses(true);
  }
  config = WithDefaults(std::move(config));
  base::Problems problems;
  Validate(config, &problems);
  if (const int code = CheckConfig(flags.role, config, problems); code >= 0) return code;
  if (flags.role.state.empty()) flags.role.state = "state";
  std::error_code error;
  std::filesystem::create_directories(flags.role.state, error);
  if (error) return Fail(kExitIo, "state folder " + flags.role.state + ": " + error.message());
  return flags.demo ? RunDemo(flags, std::move(config)) : RunLive(flags, config);
}

}  // namespace racewatch::cli
