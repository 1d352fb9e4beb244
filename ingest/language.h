// The language of a text: script counting settles Chinese, Japanese, Korean, Russian, Arabic and others,
// CLD2 the rest; the feed's own label is a hint that decides only where the text does not. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest {

// ISO 639-1 code, or "und". `hint` is a language tag as found ("en-US", "zh_CN", ""). Looks at the first
// two kilobytes at most.
std::string DetectLanguage(std::string_view title, std::string_view text, std::string_view hint);

// "en" for "en-US", "zh" for "zh_Hans"; empty when it is no language tag.
std::string PrimaryLanguage(std::string_view tag);

}  // namespace racewatch::ingest
