#include "classify/tag_step.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "base/bus/topics.h"
#include "racewatch/v1/tagged_article.pb.h"

namespace racewatch::classify {
namespace {

bool IsArticleId(const std::string& id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Never inside a UTF-8 sequence.
std::string CutText(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

base::Result<v1::Article> DecodeArticle(const base::Record& record) {
  v1::Article article;
  if (record.tombstone) return base::InvalidArgument("record without a value");
  if (!article.ParseFromString(record.value)) return base::InvalidArgument("bytes are no racewatch.v1.Article");
  if (!IsArticleId(article.id()))
    return base::InvalidArgument("article id '" + article.id().substr(0, 40) + "' is not 32 hexadecimal digits");
  return article;
}

v1::Document MakeDocument(const v1::Article& article) {
  v1::Document document;
  document.set_id(article.id());
  document.set_title(CutText(article.title(), kTextBytesMax / 8));
  document.set_text(CutText(article.text(), kTextBytesMax));
  document.set_language(article.language());
  return document;
}

base::Record MakeTaggedRecord(const base::Record& source, v1::Article article, v1::Tags tags, base::UnixMs now_ms) {
  v1::TaggedArticle tagged;
  *tagged.mutable_article() = std::move(article);
  *tagged.mutable_tags() = std::move(tags);
  *tagged.mutable_tagged_at() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(now_ms);
  base::Record record;
  record.topic = source.topic == base::kBackfillTopic ? base::kTaggedBackfillTopic : base::kTaggedTopic;
  record.key = tagged.article().id();
  tagged.SerializeToString(&record.value);
  record.headers = {{"content-type", "application/x-protobuf"}, {"schema", "racewatch.v1.TaggedArticle"}};
  if (const std::string* trace = source.FindHeader("traceparent")) record.headers.push_back({"traceparent", *trace});
  return record;
}

}  // namespace racewatch::classify
