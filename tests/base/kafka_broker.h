// A real Apache Kafka node for tests, started and stopped by deploy/kafka. Tests that only need a
// broker take the shared one (ctest starts it once, as the fixture `kafka`; run by hand, the test
// binary starts its own); tests that hurt their broker start one for themselves. Without jars or
// java nothing starts and SkipReason says what is missing.
#pragma once

#include <memory>
#include <string>

#include "tests/base/temp_dir.h"

namespace racewatch::base {

class KafkaBroker {
 public:
  // Empty when a broker can be had. Else the text for GTEST_SKIP.
  static std::string SkipReason();
  // HOST:PORT of the shared broker. Aborts the test binary when it cannot start.
  static const std::string& SharedAddress();

  KafkaBroker() = default;
  ~KafkaBroker() { Stop(); }
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  // Starts, or starts again on the same data and port. False: see kafka.log in the folder.
  bool Start();
  void Kill();  // SIGKILL, returns when it is gone
  void Stop();
  const std::string& address() const { return address_; }

 private:
  TempDir dir_;
  std::string address_;
};

}  // namespace racewatch::base
