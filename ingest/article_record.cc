#include "ingest/article_record.h"

#include "base/bus/topics.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::ingest {

base::Record ArticleRecord(const v1::Article& article) {
  base::Record record;
  record.topic = article.lane() == v1::LANE_BACKFILL ? base::kBackfillTopic : base::kArticlesTopic;
  record.key = article.id();
  record.value = article.SerializeAsString();
  record.headers = {{"content-type", "application/x-protobuf"},
                    {"schema", "racewatch.v1.Article"},
                    // One trace per article: the id names it, the version's hash is the first span.
                    {"traceparent", "00-" + article.id() + "-" + article.content_hash() + "-01"}};
  if (article.withdrawn()) record.headers.push_back({"withdrawn", "1"});  // nothing to tag, see classify/tag_step.h
  return record;
}

}  // namespace racewatch::ingest
