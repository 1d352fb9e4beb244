// Bytes of unknown charset to clean UTF-8: the first step of parsing any feed. The order of belief
// is byte order mark, HTTP charset, XML declaration, valid UTF-8, detector; a label that the bytes
// contradict is dropped. Stateless, any thread, linear. Valid UTF-8 without control characters is
// passed on without a copy.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest::feed {

struct DecodedText {
  std::string_view
      text;  // valid UTF-8 without control characters; points into the input or into the buffer
  std::string encoding;   // what it was read as, lower case
  bool repaired = false;  // bytes had to be dropped or replaced
};

// `content_type` is HTTP's header, may be empty. `buffer` holds the text when it had to be
// converted.
DecodedText DecodeText(std::string_view bytes, std::string_view content_type, std::string* buffer);

}  // namespace racewatch::ingest::feed
