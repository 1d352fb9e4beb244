#include "tests/base/kafka_broker.h"

#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

namespace racewatch::base {

namespace {

const std::string kScripts = std::string(RACEWATCH_SOURCE_DIR) + "/deploy/kafka/";

std::string LibDir() {
  const char* set = std::getenv("RACEWATCH_KAFKA_LIB");
  return set ? set : std::string(RACEWATCH_SOURCE_DIR) + "/build/kafka/lib";
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool Run(const std::string& command) { return std::system(("exec " + command).c_str()) == 0; }

}  // namespace

std::string KafkaBroker::SkipReason() {
  if (!std::ifstream(LibDir() + "/.complete"))
    return "needs the Kafka jars in " + LibDir() + " (deploy/kafka/fetch)";
  if (!Run("sh -c 'command -v java kcat >/dev/null'")) return "needs java and kcat";
  return "";
}

const std::string& KafkaBroker::SharedAddress() {
  static const std::string from_fixture = [] {
    const std::string dir = std::string(RACEWATCH_BINARY_DIR) + "/kafka-node";
    const std::string address = FirstLine(dir + "/address"), pid = FirstLine(dir + "/pid");
    const bool alive = !address.empty() && !pid.empty() && ::kill(std::atoi(pid.c_str()), 0) == 0;
    return alive ? address : std::string();
  }();
  if (!from_fixture.empty()) return from_fixture;
  static KafkaBroker own;
  static const bool started = own.Start();
  if (!started) {
    std::cerr << "a Kafka broker for the tests did not start\n";
    std::abort();
  }
  return own.address();
}

bool KafkaBroker::Start() {
  if (!Run(kScripts + "start " + dir_.path() + " >/dev/null")) return false;
  address_ = FirstLine(dir_.path() + "/address");
  return true;
}

void KafkaBroker::Kill() {
  const int pid = std::atoi(FirstLine(dir_.path() + "/pid").c_str());
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  while (!FirstLine("/proc/" + std::to_string(pid) + "/cmdline").empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void KafkaBroker::Stop() { Run(kScripts + "stop " + dir_.path()); }

}  // namespace racewatch::base
