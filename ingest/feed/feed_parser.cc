#include "ingest/feed/feed_parser.h"

#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/charset.h"
#include "ingest/feed/feed_reader.h"
#include "ingest/feed/gunzip.h"
#include "ingest/feed/json_feed.h"
#include "ingest/feed/links.h"
#include "ingest/feed/newsml.h"
#include "ingest/feed/sitemap.h"
#include "ingest/feed/xml_walk.h"

namespace racewatch::ingest {
namespace {

base::Result<Feed> ParseText(std::string_view text, std::string base) {
  if (feed::IsJson(text)) return feed::ReadJsonFeed(text, base);
  const std::string root = feed::RootName(text);
  if (feed::IsSitemapRoot(root)) return feed::ReadSitemap(text, base);
  if (feed::IsNewsMlRoot(root)) return feed::ReadNewsMl(text, base);
  return feed::FeedReader(text, std::move(base)).Read();
}

}  // namespace

base::Result<Feed> ParseFeed(std::string_view bytes, const ParseOptions& options) {
  if (bytes.size() > options.document_bytes_max)
    return base::ResourceExhausted("feed of " + std::to_string(bytes.size()) +
                                   " bytes is larger than " +
                                   std::to_string(options.document_bytes_max));
  if (bytes.starts_with("PK\x03\x04")) return base::InvalidArgument("no feed but an archive");
  std::string unpacked;
  bool cut = false;
  if (feed::IsGzip(bytes)) {  // sitemaps come as .xml.gz
    RW_ASSIGN_OR_RETURN(unpacked, feed::Gunzip(bytes, options.document_bytes_max, &cut));
    bytes = unpacked;
  }
  std::string buffer;
  const feed::DecodedText decoded = feed::DecodeText(bytes, options.content_type, &buffer);
  if (feed::Trim(decoded.text).empty())
    return base::InvalidArgument("no feed: the document is empty");
  std::string base = options.content_location.empty()
                         ? options.base_url
                         : feed::ResolveUrl(options.base_url, options.content_location);
  auto parsed = ParseText(decoded.text, std::move(base));
  if (parsed.ok()) {
    parsed->encoding = decoded.encoding;
    parsed->damaged = decoded.repaired;
    parsed->truncated = parsed->truncated || cut;
  }
  return parsed;
}

}  // namespace racewatch::ingest
