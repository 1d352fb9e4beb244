#include "ingest/backfill/csv.h"

#include <utility>

namespace racewatch::ingest {

base::Result<bool> CsvReader::Pull() {
  std::string_view text;
  bool too_long = false;
  RW_ASSIGN_OR_RETURN(const bool more, lines_.Next(&text, &too_long));
  if (more) ahead_.push_back({lines_.number(), std::string(text), too_long});
  return more;
}

bool CsvReader::Split(std::string_view text, std::vector<std::string>* fields) const {
  fields->clear();
  const bool quotes = separator_ != '\t';
  for (size_t at = 0;;) {
    std::string field;
    if (quotes && at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) return false;
        if (text[at] != '"')
          field.push_back(text[at]);
        else if (at + 1 < text.size() && text[at + 1] == '"')
          field.push_back(text[at++]);
        else
          break;
      }
      ++at;
    }
    const size_t end = std::min(text.find(separator_, at), text.size());
    field.append(text.substr(at, end - at));  // what stands behind a closing quote is kept
    fields->push_back(std::move(field));
    if (end == text.size()) return true;
    at = end + 1;
  }
}

base::Result<bool> CsvReader::Next(CsvRecord* record) {
  *record = {};
  do {  // empty lines are no records
    if (!ahead_.empty() && ahead_.front().text.empty()) ahead_.pop_front();
    if (ahead_.empty()) {
      RW_ASSIGN_OR_RETURN(const bool more, Pull());
      if (!more) return false;
    }
  } while (ahead_.front().text.empty());
  record->line = ahead_.front().number;
  std::string text = ahead_.front().text;
  bool too_long = ahead_.front().too_long;
  size_t used = 1;
  while (!too_long && !Split(text, &record->fields)) {
    if (used == ahead_.size()) {
      const auto more = used < kLinesMax ? Pull() : base::Result<bool>(false);
      if (!more.ok() || !*more) {
        record->error = "a quote is never closed";
        break;
      }
    }
    text.append("\n").append(ahead_[used].text);
    too_long = ahead_[used].too_long || text.size() > LineReader::kLineBytesMax;
    ++used;
  }
  if (too_long) record->error = "longer than " + std::to_string(LineReader::kLineBytesMax) + " bytes";
  if (!record->error.empty()) used = 1;
  record->original = used == 1 ? std::move(ahead_.front().text) : std::move(text);
  ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(used));
  return true;
}

}  // namespace racewatch::ingest
