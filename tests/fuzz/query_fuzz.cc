// Any bytes as a saved query (the first line) over any text (the rest): no crash, a named mistake or a question whose negation
// has the other answer.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/saved_query/expression.h"

namespace {

using namespace racewatch::store;  // NOLINT: one file, one room

void Check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(input.find('\n'), input.size());
  const std::string_view expression = input.substr(0, line), text = input.substr(line);
  const auto query = BooleanQuery::Parse(expression);
  if (!query.ok()) {
    Check(query.status().message().starts_with("column "));
    return 0;
  }
  SearchText title, body;
  title.Set(text.substr(0, text.size() / 3));
  body.Set(text);
  const Labels labels{.relevant = size % 2 == 0, .themes = static_cast<uint32_t>(size)};
  const QuerySubject subject{title, body, labels, 0, 1, "paper.example"};
  const auto opposite = BooleanQuery::Parse("NOT (" + std::string(expression) + ")");
  if (opposite.ok()) Check(opposite->Matches(subject) != query->Matches(subject));
  Check(query->fingerprint() == BooleanQuery::Parse(expression)->fingerprint());
  Check(NormaliseForSearch(NormaliseForSearch(text)) == NormaliseForSearch(text));
  return 0;
}
