#include "cli/process.h"

#include <prometheus/registry.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/metrics.h"

namespace racewatch::cli {
namespace {

base::Log::Options LogOptions(const v1::LogConfig& config, const std::string& role) {
  base::Log::Options options;
  options.json = config.format() == "json";
  options.role = role;
  if (config.level() == "debug") options.level = base::LogLevel::kDebug;
  if (config.level() == "warn") options.level = base::LogLevel::kWarn;
  if (config.level() == "error") options.level = base::LogLevel::kError;
  return options;
}

class HttpComponent final : public base::Component {
 public:
  explicit HttpComponent(base::HttpServer& server) : server_(server) {}
  std::string name() const override { return "http"; }
  base::Status Start() override { return server_.Start(); }
  base::Status Stop(std::chrono::milliseconds) override {
    server_.Stop();
    return {};
  }

 private:
  base::HttpServer& server_;
};

// Last in the order: tells a failed start from a failure later, which have different exit codes.
class StartedMark final : public base::Component {
 public:
  std::string name() const override { return "started"; }
  base::Status Start() override {
    started = true;
    return {};
  }
  base::Status Stop(std::chrono::milliseconds) override { return {}; }
  bool started = false;
};

sigset_t ReloadSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void AddRoleFlags(CLI::App& app, RoleFlags* flags, bool with_state, bool with_grpc) {
  app.add_option("--config", flags->config, "configuration, protobuf text format (proto/racewatch/v1/config.proto)");
  app.add_flag("--check", flags->check, "print the effective configuration and every mistake, then exit");
  app.add_option("--http", flags->http, "HOST:PORT of metrics, health and API; overrides the configuration");
  if (with_state) app.add_option("--state", flags->state, "folder for everything that must survive a restart");
  if (with_grpc) app.add_option("--grpc", flags->grpc, "HOST:PORT of gRPC; overrides the configuration");
}

int ParseFlags(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    std::fputs(app.help().c_str(), stdout);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, app.get_name() + ": " + error.what());
  }
  return -1;
}

int LoadConfigFlag(const RoleFlags& flags, google::protobuf::Message* config) {
  if (flags.config.empty()) return -1;
  const base::Status status = base::LoadConfig(flags.config, config);
  if (status.ok()) return -1;
  return Fail(status.code() == base::Code::kNotFound ? kExitIo : kExitConfig, status.message());
}

int CheckConfig(const RoleFlags& flags, const google::protobuf::Message& effective, const base::Problems& problems) {
  const std::string file = flags.config.empty() ? "(defaults)" : flags.config;
  if (flags.check) {
    std::fputs(base::PrintConfig(effective).c_str(), stdout);
    for (const std::string& line : problems.lines()) std::fprintf(stderr, "racewatch: config %s: %s\n", file.c_str(), line.c_str());
    return problems.empty() ? kExitOk : kExitConfig;
  }
  return problems.empty() ? -1 : Fail(kExitConfig, problems.ToStatus(file).message());
}

struct Process::Impl {
  Impl(const std::string& role, const v1::LogConfig& log_config, const v1::HttpConfig& http_config)
      : log(LogOptions(log_config, role)),
        lifecycle(log),
        registry(std::make_shared<prometheus::Registry>()),
        http({http_config.listen(), http_config.threads() == 0 ? 8 : http_config.threads()}),
        http_component(http),
        listen(http_config.listen()) {
    const sigset_t set = ReloadSignal();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    http.ExportMetrics(registry);
    base::ExportBuildInfo(*registry, role);
    lifecycle.Add(http_component);
  }

  base::Log log;
  base::Lifecycle lifecycle;
  std::shared_ptr<prometheus::Registry> registry;
  base::HttpServer http;
  HttpComponent http_component;
  StartedMark started;
  std::string listen;
};

Process::Process(std::string role, const v1::LogConfig& log, const v1::HttpConfig& http)
    : impl_(std::make_unique<Impl>(role, log, http)) {}
Process::~Process() = default;

base::Log& Process::log() { return impl_->log; }
prometheus::Registry& Process::registry() { return *impl_->registry; }
base::HttpServer& Process::http() { return impl_->http; }
void Process::Add(base::Component& component) { impl_->lifecycle.Add(component); }
void Process::RequestStop(base::Status reason) { impl_->lifecycle.RequestStop(std::move(reason)); }

int Process::Run(std::function<void()> on_reload) {
  impl_->lifecycle.Add(impl_->started);
  std::jthread reload([&on_reload](std::stop_token stop) {
    const sigset_t set = ReloadSignal();
    while (!stop.stop_requested()) {
      const timespec wait{0, 200'000'000};
      if (sigtimedwait(&set, nullptr, &wait) == SIGHUP && on_reload) on_reload();
    }
  });
  impl_->log.Info("starting", {{"http", impl_->listen}});
  const base::Status status = impl_->lifecycle.Run();
  impl_->log.Info("stopped", {{"status", status.ToString()}});
  if (status.ok()) return kExitOk;
  // At start a failed precondition is state that another process holds; later it is a fence.
  const bool at_start = !impl_->started.started;
  if (at_start && status.code() == base::Code::kFailedPrecondition) return Fail(kExitIo, status.message());
  if (at_start && status.code() == base::Code::kInvalidArgument) return Fail(kExitConfig, status.message());
  return Fail(ExitCodeFor(status), status.message());
}

}  // namespace racewatch::cli
