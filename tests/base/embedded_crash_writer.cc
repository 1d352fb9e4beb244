// Appends to an embedded log for ever and prints each acknowledged record, one a line: `partition
// offset value`. The crash tests kill it. usage: embedded_crash_writer DIR TAG
#include <cstdio>
#include <string>

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"

using namespace racewatch::base;  // a test program of one file

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  SystemClock clock;
  EmbeddedLogOptions options;
  options.dir = argv[1];
  options.memtable_bytes = 1u << 20;  // so that kills also meet flushes and compactions
  auto log = EmbeddedLog::Open(options, clock);
  if (!log.ok()) {
    std::fprintf(stderr, "%s\n", log.status().ToString().c_str());
    return 70;
  }
  EmbeddedSink sink(**log, 256u << 10);
  for (int64_t i = 0;; ++i) {
    Record record;
    record.topic = kTaggedTopic;
    record.key = std::string(argv[2]) + "-" + std::to_string(i);
    record.value = record.key + std::string(static_cast<size_t>(i % 4000), 'x');
    const auto report = [key = record.key](const Delivery& d) {
      if (!d.status.ok()) return;
      std::printf("%d %lld %s\n", d.position.where.partition,
                  static_cast<long long>(d.position.offset), key.c_str());
      std::fflush(stdout);
    };
    while (sink.Send(record, report).code() == Code::kResourceExhausted)
      (void)sink.Flush(std::chrono::milliseconds(5));
  }
}
