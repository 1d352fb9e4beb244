// The pure part of the tagger: record → article, article → document, article and answer → tagged record.
// Stateless, any thread.
#pragma once

#include <string>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/classifier_service.pb.h"

namespace racewatch::classify {

// Bytes of text sent to the classifier; longer texts are cut at a character for tagging only (the
// archive keeps them whole). Evidence offsets stay valid: the cut is at the end.
inline constexpr size_t kTextBytesMax = 256 << 10;

// INVALID_ARGUMENT when the bytes are no article or the id is not 32 hexadecimal digits.
base::Result<v1::Article> DecodeArticle(const base::Record& record);

v1::Document MakeDocument(const v1::Article& article);

// The record for the tagged topic that belongs to `source_topic` (live or backfill).
base::Record MakeTaggedRecord(const base::Record& source, v1::Article article, v1::Tags tags, base::UnixMs now_ms);

}  // namespace racewatch::classify
