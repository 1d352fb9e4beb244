// The classifier role: loads the model, owns the worker pool and the gRPC service, drains on stop. The
// gRPC server itself (base/grpc_server.h) is wired beside it, because `racewatch up` puts the store's
// service on the same one. Reload swaps the model while calls go on (SIGHUP in cli/), as the RPCs do (served_models.h).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/lifecycle.h"
#include "racewatch/v1/config.pb.h"

namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}
namespace racewatch::base {
class Problems;
}

namespace racewatch::classify {

class ClassifierClient;
class ClassifierService;
class SecondTier;
class ServedModels;

v1::ClassifierConfig WithDefaults(v1::ClassifierConfig config);
void ValidateClassifierConfig(const v1::ClassifierConfig& config, base::Problems* problems);

class ClassifierRole final : public base::Component {
 public:
  // `config` is complete (WithDefaults); registry and log outlive this object.
  ClassifierRole(const v1::ClassifierConfig& config, prometheus::Registry& registry, base::Log& log);
  ~ClassifierRole() override;

  // Loads the model and the canary: call before service() is registered with a server. The error names the file.
  base::Status Load();
  grpc::Service& service();
  // For the tagger of the same process (ClassifierService::LocalClient). After Load.
  std::unique_ptr<ClassifierClient> LocalClient();
  // Loads the files again and swaps them in; on error what is in service stays. Any thread.
  base::Status Reload();
  // The same with another file and second tier (null: none), which later Reloads load too.
  base::Status Serve(const std::string& path, std::shared_ptr<const SecondTier> second_tier);
  // The one in service, or null.
  std::shared_ptr<const SecondTier> second_tier() const;

  std::string name() const override { return "classifier"; }
  base::Status Start() override;
  base::Status Stop(std::chrono::milliseconds timeout) override;
  bool Idle() const override;

 private:
  const v1::ClassifierConfig config_;
  prometheus::Registry& registry_;
  base::Log& log_;
  std::unique_ptr<ServedModels> models_;
  std::unique_ptr<ClassifierService> service_;
};

}  // namespace racewatch::classify
