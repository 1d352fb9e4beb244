// `racewatch retag`: tags the history again with another model, shows what that changes and switches to it. With --server
// alone a running `racewatch up` does the tagging; with --config this process does, over Kafka. Running it again goes on.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/pause.h"
#include "classify/classifier_client.h"
#include "classify/model/model.h"
#include "classify/second_tier/language_model_tier.h"
#include "classify/tagger_role.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/model_flags.h"
#include "cli/process.h"
#include "cli/retag_worker.h"
#include "cli/store_client.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLookEvery{500}, kSwitchLookEvery{50};
constexpr uint64_t kNearlyCovered = 500;     // what live traffic keeps on the way
constexpr int kModelAsked = 8;               // classifiers behind one address take turns
constexpr std::chrono::seconds kSwitchWait{8};
constexpr int kSwitchTries = 20;

struct RetagFlags {
  std::string model;
  std::string second_tier;
  std::string server = kDefaultStoreServer;
  std::string config;
  std::string output = "text";
  size_t examples = 3;
  double rate = 0;
  double settle_s = -1;
  bool no_switch = false;
  bool cancel = false;
  bool status = false;
};

base::Result<Json> Ask(const RetagFlags& flags, const std::string& path, const Parameters& parameters = {}) {
  RW_ASSIGN_OR_RETURN(const std::string body, AskStore(flags.server, path, parameters));
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return base::Unavailable("server " + flags.server + ": no JSON in the answer");
  return json;
}

base::Result<Json> Tell(const RetagFlags& flags, const std::string& path, const Json& body) {
  RW_ASSIGN_OR_RETURN(const std::string answer, TellStore(flags.server, path, body.dump()));
  Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object()) return base::Unavailable("server " + flags.server + ": no JSON in the answer");
  return json;
}

// The generation of this model, if it is what readers see.
std::optional<uint32_t> ActiveOf(const Json& status, const std::string& model_version) {
  for (const Json& one : status["generations"])
    if (one["state"] == "active" && one["model_version"] == model_version) return one["generation"].get<uint32_t>();
  return std::nullopt;
}

base::Result<RetagWorker::Held> ReadHeld(const RetagFlags& flags) {
  RW_ASSIGN_OR_RETURN(const Json status, Ask(flags, "retag"));
  RetagWorker::Held out;
  if (!status.contains("building")) return base::FailedPrecondition("server " + flags.server + ": no generation is being built");
  for (const Json& one : status["building"]["partitions"])
    if (const auto covered = one["covered"].get<int64_t>(); covered > 0)
      out.covered[{one["topic"].get<std::string>(), one["partition"].get<int32_t>()}] = covered;
  for (const Json& one : status["building"]["queries"]) {
    store::SavedQuery query;
    query.slot = static_cast<store::QuerySlot>(out.queries.size());
    query.name = one["name"].get<std::string>();
    query.expression = one["expression"].get<std::string>();
    const auto parsed = store::BooleanQuery::Parse(query.expression);
    if (!parsed.ok()) return base::Unavailable("query '" + query.name + "' of the store: " + parsed.status().message());
    query.fingerprint = parsed->fingerprint();
    out.queries.push_back(std::move(query));
  }
  return out;
}

// A line that is written over on a terminal, a line now and then elsewhere; on stderr.
class ProgressPrinter {
 public:
  ~ProgressPrinter() { End(); }
  void Show(const std::string& line) {
    const auto now = steady_clock::now();
    if (terminal_) {
      std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
      std::fflush(stderr);
      shown_ = true;
    } else if (line != last_ && now >= next_) {
      std::fprintf(stderr, "%s\n", line.c_str());
      next_ = now + std::chrono::seconds(5);
      last_ = line;
    }
  }
  void End() {
    if (std::exchange(shown_, false)) std::fputc('\n', stderr);
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  steady_clock::time_point next_{};
  std::string last_;
  bool shown_ = false;
};

// Who tags: this process, or the `up` that is asked.
class Tagging {
 public:
  virtual ~Tagging() = default;
  virtual base::Status Begin() = 0;
  struct State {
    uint64_t read = 0;
    double quiet_s = 0;  // since an article came that another model had tagged
    std::string trouble;
  };
  virtual base::Result<State> Read() = 0;
  // True once the taggers have the new model.
  virtual base::Result<bool> Adopted() = 0;
  virtual double settle_s() const = 0;
};

class RemoteTagging final : public Tagging {
 public:
  explicit RemoteTagging(const RetagFlags& flags) : flags_(flags) {}
  base::Status Begin() override {
    return Tell(flags_, "retag/run", {{"model", std::filesystem::absolute(flags_.model).string()},
                                   {"second_tier", flags_.second_tier.empty() ? "" : std::filesystem::absolute(flags_.second_tier).string()},
                                   {"rate", flags_.rate}}).status();
  }
  base::Result<State> Read() override {
    const auto asked = Ask(flags_, "retag/worker");
    if (asked.status().code() == base::Code::kNotFound)
      return base::Unavailable("server " + flags_.server + ": the process was started anew meanwhile; run this again");
    RW_RETURN_IF_ERROR(asked.status());
    const Json& worker = *asked;
    return State{worker.value("read", uint64_t{0}), worker.value("quiet_s", 0.0), worker.value("trouble", std::string())};
  }
  base::Result<bool> Adopted() override {
    if (!served_) RW_RETURN_IF_ERROR(Tell(flags_, "retag/serve", Json::object()).status());
    served_ = true;
    return true;
  }
  double settle_s() const override { return 2; }

 private:
  const RetagFlags& flags_;
  bool served_ = false;
};

class LocalTagging final : public Tagging {
 public:
  LocalTagging(const RetagFlags& flags, v1::TaggerConfig config, std::shared_ptr<const classify::Model> model)
      : flags_(flags), config_(std::move(config)), model_(std::move(model)), log_({.level = base::LogLevel::kWarn, .role = "retag"}),
        classifier_(v1::ClassifierService::NewStub(classify::MakeClassifierChannel(config_.classifier()))) {}
  base::Status Begin() override {
    RW_ASSIGN_OR_RETURN(const Json status, Tell(flags_, "retag/begin", {{"model_version", model_->version()}}));
    RW_ASSIGN_OR_RETURN(bus_, Bus::Open(config_.bus(), "retag", "", clock_, log_));
    worker_ = std::make_unique<RetagWorker>(RetagWorker::Options{status["building"]["generation"].get<uint32_t>(), flags_.rate}, *bus_, model_,
                                            [this] { return ReadHeld(flags_); }, clock_, log_);
    worker_->Start();
    return {};
  }
  base::Result<State> Read() override {
    const RetagWorker::Progress progress = worker_->progress();
    return State{progress.counts.read, progress.quiet_s, progress.trouble};
  }
  base::Result<bool> Adopted() override {
    for (int i = 0; i < kModelAsked; ++i) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
      v1::GetModelResponse answer;
      if (!classifier_->GetModel(&context, {}, &answer).ok() || answer.model_version() != model_->version()) return false;
    }
    return true;
  }
  // What was with the former model may take as long as a call may take, and its retry.
  double settle_s() const override { return 2.0 * config_.deadline_ms() / 1000; }

 private:
  const RetagFlags& flags_;
  const v1::TaggerConfig config_;
  const std::shared_ptr<const classify::Model> model_;
  base::SystemClock clock_;
  base::Log log_;
  const std::unique_ptr<v1::ClassifierService::Stub> classifier_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<RetagWorker> worker_;
};

RetagWorker::Offsets OffsetsOf(const Json& building, const char* which) {
  RetagWorker::Offsets out;
  for (const Json& one : building["partitions"]) out[{one["topic"].get<std::string>(), one["partition"].get<int32_t>()}] = one[which].get<int64_t>();
  return out;
}

// Until the store holds everything that had been counted when this began, and of the rest all but what is just coming in.
base::Status WaitUntilCovered(const RetagFlags& flags, Tagging& tagging, ProgressPrinter& printer) {
  std::optional<RetagWorker::Offsets> wanted;
  return base::LookUntil(kLookEvery, [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(const Json status, Ask(flags, "retag"));
    if (!status.contains("building")) return base::Unavailable("server " + flags.server + ": the re-tag was cancelled");
    if (!wanted) wanted = OffsetsOf(status["building"], "counted");
    RetagWorker::Offsets covered = OffsetsOf(status["building"], "covered");
    const bool all = std::all_of(wanted->begin(), wanted->end(), [&](const auto& entry) { return covered[entry.first] >= entry.second; });
    RW_ASSIGN_OR_RETURN(const Tagging::State state, tagging.Read());
    const auto lag = status["building"]["lag"].get<uint64_t>();
    printer.Show("retag: " + std::to_string(state.read) + " records read, " + std::to_string(lag) + " to go" +
                 (state.trouble.empty() ? "" : "; waiting: " + state.trouble));
    return all && lag <= kNearlyCovered && state.trouble.empty();
  });
}

base::Status WaitUntilAdopted(const RetagFlags& flags, Tagging& tagging, const std::string& version, ProgressPrinter& printer) {
  const double settle_s = flags.settle_s >= 0 ? flags.settle_s : tagging.settle_s();
  auto since = steady_clock::time_point::max();
  return base::LookUntil(kLookEvery, [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(const bool adopted, tagging.Adopted());
    const auto now = steady_clock::now();
    since = adopted ? std::min(since, now) : steady_clock::time_point::max();
    RW_ASSIGN_OR_RETURN(const Tagging::State state, tagging.Read());
    if (adopted && std::chrono::duration<double>(now - since).count() >= settle_s && state.quiet_s >= settle_s) return true;
    printer.Show(adopted ? "retag: waiting for what the former model has in hand"
                         : "retag: give the classifiers model " + version + " (config.model, then SIGHUP); both tag until then");
    return false;
  });
}

// 0: this attempt was given up.
base::Result<uint32_t> TrySwitch(const RetagFlags& flags, const std::string& version) {
  const auto asked = Tell(flags, "retag/switch", Json::object());
  if (!asked.ok() && asked.status().code() != base::Code::kFailedPrecondition) return asked.status();
  const auto deadline = steady_clock::now() + kSwitchWait;
  uint32_t active = 0;
  RW_RETURN_IF_ERROR(base::LookUntil(kSwitchLookEvery, [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(const Json status, Ask(flags, "retag"));
    active = ActiveOf(status, version).value_or(0);
    return active != 0 || !asked.ok() || steady_clock::now() >= deadline;
  }));
  return active;
}

base::Result<uint32_t> SwitchOver(const RetagFlags& flags, const std::string& version) {
  uint32_t generation = 0;
  int tries = 0;
  RW_RETURN_IF_ERROR(base::LookUntil(kLookEvery, [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(generation, TrySwitch(flags, version));
    return generation != 0 || ++tries == kSwitchTries;
  }));
  if (generation != 0) return generation;
  return base::Unavailable("server " + flags.server + ": the switch was given up " + std::to_string(kSwitchTries) +
                           " times, the store lacks what is to be re-tagged; run this again");
}

void PrintReport(const Json& report) {
  std::printf("model %s instead of %s: %s of %s articles change\n", Text(report, "model_version").c_str(), Text(report, "replaces").c_str(),
              Text(report, "changed").c_str(), Text(report, "compared").c_str());
  std::printf("%-64s %9s %9s %8s %8s\n", "SERIES", "BEFORE", "AFTER", "GAINED", "LOST");
  for (const Json& one : report["series"]) {
    std::printf("%-64s %9s %9s %8s %8s\n", Text(one, "series").c_str(), Text(one, "before").c_str(), Text(one, "after").c_str(),
                Text(one, "gained").c_str(), Text(one, "lost").c_str());
    for (const Json& example : one["examples"])
      std::printf("  %s: %s (%s)\n", Text(example, "change").c_str(), Text(example, "title").c_str(), Text(example, "url").c_str());
  }
}

base::Status Report(const RetagFlags& flags) {
  RW_ASSIGN_OR_RETURN(const Json report, Ask(flags, "retag/report", {{"examples", std::to_string(flags.examples)}}));
  if (flags.output == "json") std::puts(report.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  else PrintReport(report);
  std::fflush(stdout);
  return {};
}

void PrintEnd(uint32_t generation, const std::string& version, bool switched) {
  std::puts(Json{{"generation", generation}, {"model_version", version}, {"switched", switched}}.dump().c_str());
}

base::Status Retag(const RetagFlags& flags, Tagging& tagging, const std::string& version) {
  RW_ASSIGN_OR_RETURN(const Json before, Ask(flags, "retag"));
  if (const auto active = ActiveOf(before, version)) {
    PrintEnd(*active, version, true);
    return {};
  }
  RW_RETURN_IF_ERROR(tagging.Begin());
  ProgressPrinter printer;
  RW_RETURN_IF_ERROR(WaitUntilCovered(flags, tagging, printer));
  printer.End();
  RW_RETURN_IF_ERROR(Report(flags));
  if (flags.no_switch) {
    RW_ASSIGN_OR_RETURN(const Json status, Ask(flags, "retag"));
    PrintEnd(status.contains("building") ? status["building"]["generation"].get<uint32_t>() : 0, version, false);
    return {};
  }
  RW_RETURN_IF_ERROR(WaitUntilAdopted(flags, tagging, version, printer));
  printer.End();
  RW_ASSIGN_OR_RETURN(const uint32_t generation, SwitchOver(flags, version));
  PrintEnd(generation, version, true);
  return {};
}

int Finish(const base::Status& status) {
  if (status.ok()) return kExitOk;
  // Another re-tag stands in the way: nothing is broken, the operator has to choose.
  const bool refused = status.code() == base::Code::kFailedPrecondition;
  return Fail(refused ? kExitBadData : ExitCodeFor(status), status.message().starts_with("retag") ? status.message() : "retag: " + status.message());
}

int PrintStatus(const RetagFlags& flags) {
  const auto body = flags.cancel ? TellStore(flags.server, "retag/cancel", "{}") : AskStore(flags.server, "retag", {});
  if (!body.ok()) return Finish(body.status());
  std::fputs(body->c_str(), stdout);
  return kExitOk;
}

int RunOverKafka(const RetagFlags& flags, std::shared_ptr<const classify::Model> model) {
  v1::TaggerConfig config;
  if (const int code = LoadConfigFlag({.config = flags.config}, &config); code >= 0) return code;
  config = classify::WithDefaults(std::move(config));
  base::Problems problems;
  CheckKafkaBus(config.bus(), &problems);
  if (!problems.empty()) return Fail(kExitConfig, problems.ToStatus(flags.config).message());
  const std::string version = model->version();
  LocalTagging tagging(flags, std::move(config), std::move(model));
  return Finish(Retag(flags, tagging, version));
}

}  // namespace

int RunRetag(int argc, char** argv) {
  CLI::App app("Tags the archive again with another model beside the live one, shows what changes, then switches all series at once. The\n"
               "former series stay under their model version (racewatch trends --model-version). Run it again to go on after a break.\n"
               "usage: racewatch retag --model FILE [--second-tier FILE] [--server HOST:PORT] [--config F] [--no-switch]\n"
               "       racewatch retag --status | --cancel [--server HOST:PORT]",
               "racewatch retag");
  RetagFlags flags;
  app.add_option("--model", flags.model, "model file that tags from now on");
  AddSecondTierFlag(app, &flags.second_tier);
  AddServerFlag(app, &flags.server);
  app.add_option("--config", flags.config, "configuration of a tagger: with Kafka, this process tags; without, the running `up` does");
  app.add_flag("--no-switch", flags.no_switch, "stop after the report; both models go on in `up`, and a further run switches");
  app.add_flag("--cancel", flags.cancel, "give up the generation that is being built");
  app.add_flag("--status", flags.status, "print the generations and how far the one being built is");
  app.add_option("--examples", flags.examples, "articles shown per series and direction (default 3, at most 100)")->check(CLI::Range(0, 100));
  app.add_option("--rate", flags.rate, "records a second at most; default: as fast as the model tags")->check(CLI::PositiveNumber);
  app.add_option("--settle-s", flags.settle_s, "seconds without an article of the former model before the switch; default 2 with `up`, twice "
                                               "the tagger's deadline_ms with --config")->check(CLI::NonNegativeNumber);
  app.add_option("--output", flags.output, "of the report: text (default) or json")->check(CLI::IsMember({"text", "json"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (flags.cancel && flags.status) return Fail(kExitUsage, "retag: --status or --cancel, not both");
  if (flags.cancel || flags.status) return PrintStatus(flags);
  if (flags.model.empty()) return Fail(kExitUsage, "retag: --model FILE is needed");
  // The running `up` reads with its own; here only its version is needed.
  const bool local = !flags.config.empty();
  auto loaded = LoadModel(flags.model, local ? flags.second_tier : "");
  if (!loaded.ok()) return FailToLoad(loaded.status().Annotate("retag"));
  std::shared_ptr<const classify::Model> model = std::move(loaded).value();
  if (local) return RunOverKafka(flags, std::move(model));
  std::string version = model->version();
  if (!flags.second_tier.empty()) {
    const auto second = classify::SecondTierVersion({flags.second_tier});
    if (!second.ok()) return Fail(kExitBadData, "retag: " + second.status().message());
    version += "+" + *second;
  }
  RemoteTagging tagging(flags);
  return Finish(Retag(flags, tagging, version));
}

}  // namespace racewatch::cli
