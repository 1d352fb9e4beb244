// A store role with everything around it for tests: fake bus, real RocksDB, real HTTP and gRPC on loopback.
#pragma once

#include <gtest/gtest.h>
#include <httplib.h>
#include <prometheus/registry.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/grpc_server.h"
#include "base/http_server.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"
#include "store/store_role.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::store {

inline v1::StoreConfig TestConfig() {
  v1::StoreConfig config;
  config.set_idle_s(60);
  auto* rule = config.add_rules();
  rule->set_name("chips");
  rule->mutable_threshold()->set_window_s(3600);
  rule->mutable_threshold()->set_open(5);
  rule->mutable_series()->set_dimension("theme");
  rule->mutable_series()->set_theme("chips_compute");
  rule->set_publishers_min(1);
  return config;
}

// One life of a store process. References outlive it.
struct RoleLife {
  RoleLife(fakes::FakeLog& bus_log, fakes::ManualClock& clock, const std::string& dir, v1::StoreConfig config = TestConfig())
      : http({.listen = "127.0.0.1:0"}), grpc({.listen = "127.0.0.1:0"}), sink(bus_log),
        role(config, sink, clock, registry, log, http, dir) {
    source = std::make_unique<fakes::FakeSource>(bus_log, base::SourceOptions{StoreRole::Topics(), "", &role});
    role.SetSource(*source);
    role.OnFatal([this](base::Status status) { fatal = std::move(status); });
    grpc.AddService(kStoreServiceName, role.service());
  }
  ~RoleLife() {
    (void)role.Stop(std::chrono::milliseconds(1000));
    http.Stop();
    (void)grpc.Stop(std::chrono::milliseconds(1000));
    (void)source->Close();
  }
  void Start() {
    ASSERT_TRUE(http.Start().ok());
    const base::Status started = role.Start();
    ASSERT_TRUE(started.ok()) << started.ToString();
    ASSERT_TRUE(grpc.Start().ok());
  }
  // Until the loop says that nothing is left.
  void Settle() {
    for (int i = 0; i < 400; ++i)
      if (role.Idle()) return;
    FAIL() << "the store did not come to rest: " << role.NotReady();
  }
  httplib::Result Get(const std::string& path) { return httplib::Client("127.0.0.1", http.port()).Get(path); }
  nlohmann::json GetJson(const std::string& path, int status = 200) {
    const auto result = Get(path);
    EXPECT_TRUE(result) << path;
    if (!result) return {};
    EXPECT_EQ(result->status, status) << path << ": " << result->body;
    return nlohmann::json::parse(result->body, nullptr, false);
  }

  base::Log log{{.level = base::LogLevel::kError}};
  prometheus::Registry registry;
  base::HttpServer http;
  base::GrpcServer grpc;
  fakes::FakeSink sink;
  base::Status fatal;
  StoreRole role;
  std::unique_ptr<fakes::FakeSource> source;
};

// Publishes as the tagger would.
inline void PublishTo(fakes::FakeLog& bus, base::Record record, std::string_view topic) {
  record.topic = topic;
  record.partition = -1;
  record.offset = -1;
  bus.Append(std::move(record));
}

}  // namespace racewatch::store
