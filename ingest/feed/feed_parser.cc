#include "ingest/feed/feed_parser.h"

#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/charset.h"
#include "ingest/feed/feed_reader.h"
#include "ingest/feed/json_feed.h"
#include "ingest/feed/links.h"

namespace racewatch::ingest {

base::Result<Feed> ParseFeed(std::string_view bytes, const ParseOptions& options) {
  if (bytes.size() > options.document_bytes_max)
    return base::ResourceExhausted("feed of " + std::to_string(bytes.size()) +
                                   " bytes is larger than " +
                                   std::to_string(options.document_bytes_max));
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("\x1F\x8B"))
    return base::InvalidArgument("no feed but an archive");
  std::string buffer;
  const feed::DecodedText decoded = feed::DecodeText(bytes, options.content_type, &buffer);
  if (feed::Trim(decoded.text).empty())
    return base::InvalidArgument("no feed: the document is empty");
  std::string base = options.content_location.empty()
                         ? options.base_url
                         : feed::ResolveUrl(options.base_url, options.content_location);
  auto parsed = feed::IsJsonObject(decoded.text)
                    ? feed::ReadJsonFeed(decoded.text, base)
                    : feed::FeedReader(decoded.text, std::move(base)).Read();
  if (parsed.ok()) {
    parsed->encoding = decoded.encoding;
    parsed->damaged = decoded.repaired;
  }
  return parsed;
}

}  // namespace racewatch::ingest
