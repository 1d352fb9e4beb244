// The web of the demo week on loopback: feeds and article pages of invented publishers as they look at
// clock.NowMs(), so that `up --demo` goes through the real fetch path. One server answers for all hosts:
// by Host header, by absolute-form request (as an HTTP proxy), or by /HOST/path. Links name the .example
// hosts, so article ids do not depend on the port: the fetcher reaches them with IngestConfig.connect_to =
// address(). Thread-safe after Start; cpp-httplib stays in the .cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace racewatch::base {
class HttpServer;
}
namespace racewatch::v1 {
class FeedConfig;
}

namespace racewatch::cli {

class DemoServer {
 public:
  // The clock outlives the server. `data_dir` is normally DemoDataDir() (cli/demo_week.h).
  DemoServer(const base::Clock& clock, std::string data_dir);
  ~DemoServer();
  DemoServer(const DemoServer&) = delete;
  DemoServer& operator=(const DemoServer&) = delete;

  // Loads the week only: start_ms, end_ms, NextChangeMs and Feeds work from here on. Start does it too.
  // NOT_FOUND or INVALID_ARGUMENT as LoadDemoWeek.
  base::Status Load();
  // Binds a free loopback port. UNAVAILABLE when that fails.
  base::Status Start();
  void Stop();  // safe before Start and twice

  // The same pages at /demo/HOST/PATH of another server, where the web page leads links to .example hosts.
  // Before `http` starts; this object outlives its Stop.
  void ServePagesOn(base::HttpServer& http);

  int port() const;             // after Start
  std::string address() const;  // "127.0.0.1:PORT", after Start

  // First and past-the-end millisecond (Unix) of the week.
  base::UnixMs start_ms() const;
  base::UnixMs end_ms() const;
  // When something next changes after `after`: an item appears or is edited, a fault begins or ends.
  // end_ms() when nothing more does.
  base::UnixMs NextChangeMs(base::UnixMs after) const;

  // One FeedConfig per feed: http://HOST/PATH, its group, a poll every 600 s.
  std::vector<v1::FeedConfig> Feeds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::cli
