// Records of a CSV (RFC 4180) or TSV file from its lines. Quoted CSV fields may hold line breaks; a quote that is never
// closed costs its own line only. TSV has no quotes: a tab ends a field, whatever else it holds. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ingest/backfill/input_stream.h"

namespace racewatch::ingest {

struct CsvRecord {
  uint64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
  std::string original;
  std::string error;  // not empty: the line is no record, and why
};

class CsvReader {
 public:
  // A quoted field ends within this many lines or it is a mistake.
  static constexpr size_t kLinesMax = 1000;

  CsvReader(InputStream& input, char separator) : lines_(input), separator_(separator) {}
  base::Result<bool> Next(CsvRecord* record);

 private:
  struct Line {
    uint64_t number;
    std::string text;
    bool too_long;
  };
  base::Result<bool> Pull();
  bool Split(std::string_view text, std::vector<std::string>* fields) const;  // false: a quote stays open

  LineReader lines_;
  const char separator_;
  std::deque<Line> ahead_;
};

}  // namespace racewatch::ingest
