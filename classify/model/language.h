// Which language a document is in: scripts settle Chinese, Japanese, Korean and short Russian texts, the
// source's own word is believed within a script, function words settle clear cases of six Latin languages,
// and CLD2 on the first KiB decides the rest (it costs more than tagging does). Stateless; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "classify/model/text.h"

namespace racewatch::classify {

// ISO 639-1 code, or "und". `hint` is what the source says, possibly empty or with a region ("en-US").
std::string DetectLanguage(std::string_view title, std::string_view text, std::span<const Token> tokens,
                           const ScriptCounts& scripts, std::string_view hint);

}  // namespace racewatch::classify
