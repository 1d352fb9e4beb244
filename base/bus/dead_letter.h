// Builds the records of racewatch.dlq.v1: the original bytes with the reason in headers (the fields of
// proto DeadLetterHeaders, each as `dlq.<field>`), so that nothing that was acknowledged is ever lost
// without a trace and `racewatch dlq requeue` can put it back. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bus/record.h"
#include "base/status.h"

namespace racewatch::base {

// Values above this are cut; the header then holds the original's size and SHA-256.
inline constexpr size_t kDeadLetterBytesMax = 64 << 10;

// `stage`: ingest, tagger or store. `reason`: snake_case from a closed set. `detail`: one line for a person.
Record MakeDeadLetter(const Record& original, std::string_view stage, std::string_view reason,
                      std::string_view detail, uint32_t attempts);

// The record that `letter` was made of, to be sent again: its topic, key, value and own headers.
// FAILED_PRECONDITION when only a part of its bytes was kept, INVALID_ARGUMENT when it is no letter.
Result<Record> OriginalOf(const Record& letter);

}  // namespace racewatch::base
