// Re-tagging inside `racewatch up`, whose embedded log only its own process may open: POST /api/v1/retag/run begins it with a
// model file, /api/v1/retag/serve makes the classifier answer with that model, GET /api/v1/retag/worker says how it gets on.
// Registers on the process's server; what the constructor takes outlives it. Handlers run on the server's threads.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "base/http_server.h"
#include "base/lifecycle.h"
#include "cli/retag_worker.h"

namespace racewatch::classify {
class ClassifierRole;
}
namespace racewatch::store {
class StoreRole;
}

namespace racewatch::cli {

class RetagService final : public base::Component {
 public:
  RetagService(base::HttpServer& server, Bus& bus, store::StoreRole& store, classify::ClassifierRole& classifier, base::Clock& clock,
               base::Log& log);

  std::string name() const override { return "retag"; }
  base::Status Start() override { return {}; }
  base::Status Stop(std::chrono::milliseconds timeout) override;

 private:
  base::Result<RetagWorker::Held> Held(uint32_t generation) const;
  base::Result<std::string> Run(const std::string& body);
  base::Result<std::string> Serve();
  base::Result<std::string> Worker() const;

  Bus& bus_;
  store::StoreRole& store_;
  classify::ClassifierRole& classifier_;
  base::Clock& clock_;
  base::Log& log_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::string model_path_;
  std::shared_ptr<const classify::SecondTier> second_tier_;
  std::unique_ptr<RetagWorker> worker_;
};

}  // namespace racewatch::cli
