#include "ingest/feed/feed.h"

namespace racewatch::ingest {

std::string_view FeedFormatName(FeedFormat format) {
  switch (format) {
    case FeedFormat::kRss090:
      return "rss090";
    case FeedFormat::kRss091:
      return "rss091";
    case FeedFormat::kRss092:
      return "rss092";
    case FeedFormat::kRss093:
      return "rss093";
    case FeedFormat::kRss094:
      return "rss094";
    case FeedFormat::kRss10:
      return "rss10";
    case FeedFormat::kRss20:
      return "rss20";
    case FeedFormat::kRss:
      return "rss";
    case FeedFormat::kAtom03:
      return "atom03";
    case FeedFormat::kAtom10:
      return "atom10";
    case FeedFormat::kAtom:
      return "atom";
    case FeedFormat::kCdf:
      return "cdf";
    case FeedFormat::kJson10:
      return "json10";
    case FeedFormat::kJson11:
      return "json11";
    case FeedFormat::kSitemap:
      return "sitemap";
    case FeedFormat::kSitemapIndex:
      return "sitemap_index";
    case FeedFormat::kNewsMl:
      return "newsml_g2";
    case FeedFormat::kNinjs:
      return "ninjs";
    case FeedFormat::kPage:
      return "page";
    case FeedFormat::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view TimePrecisionName(TimePrecision precision) {
  switch (precision) {
    case TimePrecision::kDay:
      return "day";
    case TimePrecision::kMinute:
      return "minute";
    case TimePrecision::kSecond:
      break;
  }
  return "second";
}

}  // namespace racewatch::ingest
