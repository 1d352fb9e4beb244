// The pure part of the tagger: record → document, record and answer → tagged record. Stateless, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "racewatch/v1/classifier_service.pb.h"

namespace racewatch::classify {

// Bytes of text sent to the classifier; longer texts are cut at a character for tagging only (the
// archive keeps them whole). Evidence offsets stay valid: the cut is at the end.
inline constexpr size_t kTextBytesMax = 256 << 10;
inline constexpr size_t kTitleBytesMax = kTextBytesMax / 8;

// What the classifier needs of the record's article. INVALID_ARGUMENT when the bytes are no article or the id
// is not 32 hexadecimal digits.
base::Result<std::unique_ptr<v1::Document>> DecodeDocument(const base::Record& record);

// The record for the tagged topic that belongs to the topic of `source` (live or backfill). The article's bytes
// go in as they came, so fields that this build does not know stay; so does the header "withdrawn".
base::Record MakeTaggedRecord(const base::Record& source, std::string_view article_id, const v1::Tags& tags,
                              base::UnixMs now_ms);

}  // namespace racewatch::classify
