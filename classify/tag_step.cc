#include "classify/tag_step.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "base/bus/topics.h"
#include "classify/model/text.h"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/tagged_article.pb.h"

namespace racewatch::classify {
namespace {

bool IsArticleId(const std::string& id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Appends the field `number` of a message with these bytes (protobuf encoding, "length-delimited records").
void AppendField(uint32_t number, std::string_view bytes, std::string* out) {
  constexpr uint32_t kLengthDelimited = 2;
  google::protobuf::io::StringOutputStream stream(out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.WriteTag(number << 3 | kLengthDelimited);
  coded.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  coded.WriteRaw(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

base::Result<std::unique_ptr<v1::Document>> DecodeDocument(const base::Record& record) {
  v1::Article article;
  if (record.tombstone) return base::InvalidArgument("record without a value");
  if (!article.ParseFromString(record.value)) return base::InvalidArgument("bytes are no racewatch.v1.Article");
  if (!IsArticleId(article.id()))
    return base::InvalidArgument("article id '" + article.id().substr(0, 40) + "' is not 32 hexadecimal digits");
  article.mutable_title()->resize(CutAtCharacter(article.title(), kTitleBytesMax).size());
  article.mutable_text()->resize(CutAtCharacter(article.text(), kTextBytesMax).size());
  auto document = std::make_unique<v1::Document>();
  document->set_id(std::move(*article.mutable_id()));
  document->set_title(std::move(*article.mutable_title()));
  document->set_text(std::move(*article.mutable_text()));
  document->set_language(std::move(*article.mutable_language()));
  return document;
}

base::Record MakeTaggedRecord(const base::Record& source, std::string_view article_id, const v1::Tags& tags,
                              base::UnixMs now_ms) {
  using google::protobuf::util::TimeUtil;
  base::Record record;
  record.topic = source.topic == base::kBackfillTopic ? base::kTaggedBackfillTopic : base::kTaggedTopic;
  record.key = article_id;
  const std::string tag_bytes = tags.SerializeAsString();
  record.value.reserve(source.value.size() + tag_bytes.size() + 64);
  AppendField(v1::TaggedArticle::kArticleFieldNumber, source.value, &record.value);
  AppendField(v1::TaggedArticle::kTagsFieldNumber, tag_bytes, &record.value);
  v1::TaggedArticle rest;
  *rest.mutable_tagged_at() = TimeUtil::MillisecondsToTimestamp(now_ms);
  rest.AppendToString(&record.value);
  record.headers = {{"content-type", "application/x-protobuf"}, {"schema", "racewatch.v1.TaggedArticle"}};
  if (source.FindHeader("withdrawn") != nullptr) record.headers.push_back({"withdrawn", "1"});
  if (const std::string* trace = source.FindHeader("traceparent")) record.headers.push_back({"traceparent", *trace});
  return record;
}

}  // namespace racewatch::classify
