#include "cli/dead_letters.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/bus/dead_letter.h"
#include "base/bus/topics.h"
#include "base/http_server.h"
#include "cli/bus.h"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/tagged_article.pb.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;

constexpr milliseconds kReadTimeout{60'000};
constexpr milliseconds kDeliveryTimeout{60'000};
constexpr size_t kListMax = 10'000;

std::string PositionOf(const base::Record& letter) {
  return std::to_string(letter.partition) + "/" + std::to_string(letter.offset);
}

std::string HeaderOf(const base::Record& letter, const char* name) {
  const std::string* value = letter.FindHeader(name);
  return value == nullptr ? "" : *value;
}

int64_t NumberOf(const base::Record& letter, const char* name) {
  const std::string text = HeaderOf(letter, name);
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Bytes of strangers may be no UTF-8.
std::string Dump(const Json& json, int indent = -1) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json Describe(const base::Record& letter) {
  const int64_t original_bytes = NumberOf(letter, "dlq.original_bytes");
  return Json{{"position", PositionOf(letter)},
              {"at", TimeUtil::ToString(TimeUtil::MillisecondsToTimestamp(letter.timestamp_ms))},
              {"key", letter.key},
              {"stage", HeaderOf(letter, "dlq.stage")},
              {"reason", HeaderOf(letter, "dlq.reason")},
              {"detail", HeaderOf(letter, "dlq.detail")},
              {"topic", HeaderOf(letter, "dlq.topic")},
              {"partition", NumberOf(letter, "dlq.partition")},
              {"offset", NumberOf(letter, "dlq.offset")},
              {"attempts", NumberOf(letter, "dlq.attempts")},
              {"bytes", original_bytes > 0 ? original_bytes : static_cast<int64_t>(letter.value.size())}};
}

// The value as JSON when it parses as `Message`, else null.
template <typename Message>
Json Parsed(const std::string& value) {
  Message message;
  std::string text;
  if (!message.ParseFromString(value) || !google::protobuf::util::MessageToJsonString(message, &text).ok()) return nullptr;
  return Json::parse(text, nullptr, false);
}

Json ValueOf(const base::Record& letter) {
  const std::string topic = HeaderOf(letter, "dlq.topic");
  if (topic == base::kArticlesTopic || topic == base::kBackfillTopic) return Parsed<v1::Article>(letter.value);
  if (topic == base::kTaggedTopic || topic == base::kTaggedBackfillTopic || topic == base::kRetagTopic)
    return Parsed<v1::TaggedArticle>(letter.value);
  return nullptr;
}

base::HttpResponse Answer(base::Result<std::string> lines, const char* content_type) {
  base::HttpResponse response;
  if (lines.ok()) {
    response.content_type = content_type;
    response.body = std::move(*lines);
    return response;
  }
  const base::Code code = lines.status().code();
  response.status = code == base::Code::kNotFound ? 404 : code == base::Code::kInvalidArgument ? 400 : 503;
  response.body = Dump(Json{{"message", lines.status().message()}});
  return response;
}

// {"stage","reason","topic","positions":[],"all":true}; something must be said, so that nothing is requeued by mistake.
base::Result<LetterFilter> FilterOf(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return base::InvalidArgument("dlq requeue: the body is no JSON object");
  LetterFilter filter;
  for (const auto& [name, value] : json.items()) {
    if (name == "all" && value.is_boolean()) continue;
    if (name == "positions" && value.is_array()) {
      for (const Json& position : value)
        if (position.is_string()) filter.positions.insert(position.get<std::string>());
      continue;
    }
    std::string* field = name == "stage" ? &filter.stage : name == "reason" ? &filter.reason : name == "topic" ? &filter.topic : nullptr;
    if (field == nullptr || !value.is_string()) return base::InvalidArgument("dlq requeue: cannot use field '" + name + "'");
    *field = value.get<std::string>();
  }
  const bool all = json.contains("all") && json["all"].is_boolean() && json["all"].get<bool>();
  if (!all && filter.stage.empty() && filter.reason.empty() && filter.topic.empty() && filter.positions.empty())
    return base::InvalidArgument("dlq requeue: say which: positions, stage, reason, topic, or all");
  return filter;
}

// What happened to the letters of one requeue. Deliveries are reported on the sink's threads.
struct Tally {
  std::mutex mutex;
  std::string lines;
  size_t requeued = 0;
  size_t refused = 0;

  void Refuse(const std::string& position, const base::Status& why) {
    const std::scoped_lock lock(mutex);
    lines += Dump(Json{{"position", position}, {"error", why.message()}}) + "\n";
    ++refused;
  }
};

// Sends one original; a full queue is waited for.
base::Status SendAgain(base::Sink& sink, const base::Record& letter, const std::shared_ptr<Tally>& tally) {
  const std::string position = PositionOf(letter);
  auto original = base::OriginalOf(letter);
  if (!original.ok()) {
    tally->Refuse(position, original.status());
    return {};
  }
  const auto delivered = [tally, position](const base::Delivery& delivery) {
    if (!delivery.status.ok()) return tally->Refuse(position, delivery.status);
    const std::scoped_lock lock(tally->mutex);
    ++tally->requeued;
  };
  base::Status sent = sink.Send(*original, delivered);
  if (sent.code() == base::Code::kResourceExhausted) {
    RW_RETURN_IF_ERROR(sink.Flush(kDeliveryTimeout));
    sent = sink.Send(std::move(*original), delivered);
  }
  if (!sent.ok()) tally->Refuse(position, sent);
  return {};
}

}  // namespace

bool LetterFilter::Admits(const base::Record& letter) const {
  return (stage.empty() || stage == HeaderOf(letter, "dlq.stage")) && (reason.empty() || reason == HeaderOf(letter, "dlq.reason")) &&
         (topic.empty() || topic == HeaderOf(letter, "dlq.topic")) && (positions.empty() || positions.contains(PositionOf(letter)));
}

base::Status DeadLetters::ForEach(const std::function<base::Status(base::Record&&)>& visit) {
  base::SourceOptions options;
  options.topics = {std::string(base::kDeadLetterTopic)};
  RW_ASSIGN_OR_RETURN(const auto source, bus_.MakeSource(options));
  const auto deadline = std::chrono::steady_clock::now() + kReadTimeout;
  for (;;) {
    auto records = source->Poll({}, milliseconds(bus_.embedded() != nullptr ? 0 : 200));
    if (!records.ok() && !records.status().retryable()) return records.status();
    if (records.ok())
      for (base::Record& letter : *records) RW_RETURN_IF_ERROR(visit(std::move(letter)));
    const auto lag = source->Lag();
    const bool assigned = bus_.embedded() != nullptr || !source->assignment().empty();
    const bool at_end = std::all_of(lag.begin(), lag.end(), [](const auto& entry) { return entry.second == 0; });
    if (records.ok() && records->empty() && assigned && at_end && lag.size() == source->assignment().size()) return source->Close();
    if (std::chrono::steady_clock::now() > deadline)
      return base::Unavailable("topic " + std::string(base::kDeadLetterTopic) + ": not read to its end in 60 s" +
                               (records.ok() ? "" : ": " + records.status().message()));
  }
}

base::Result<base::Record> DeadLetters::Find(const std::string& position) {
  base::Record found;
  RW_RETURN_IF_ERROR(ForEach([&](base::Record&& letter) {
    if (PositionOf(letter) == position) found = std::move(letter);
    return base::Status::Ok();
  }));
  if (found.offset < 0) return base::NotFound("no dead letter at " + position);
  return found;
}

base::Result<std::string> DeadLetters::List(const LetterFilter& filter, size_t limit) {
  limit = std::min(limit, kListMax);
  std::deque<std::string> newest;
  RW_RETURN_IF_ERROR(ForEach([&](base::Record&& letter) {
    if (!filter.Admits(letter)) return base::Status::Ok();
    newest.push_back(Dump(Describe(letter)) + "\n");
    if (newest.size() > limit) newest.pop_front();
    return base::Status::Ok();
  }));
  std::string lines;
  for (const std::string& line : newest) lines += line;
  return lines;
}

base::Result<std::string> DeadLetters::Show(const std::string& position) {
  RW_ASSIGN_OR_RETURN(const base::Record letter, Find(position));
  Json json = Describe(letter);
  json["headers"] = Json::object();
  for (const base::Header& header : letter.headers)
    if (!header.name.starts_with("dlq.")) json["headers"][header.name] = header.value;
  const Json value = ValueOf(letter);
  json[value.is_object() ? "value" : "value_text"] = value.is_object() ? value : Json(letter.value);
  return Dump(json) + "\n";
}

base::Result<std::string> DeadLetters::Value(const std::string& position) {
  RW_ASSIGN_OR_RETURN(base::Record letter, Find(position));
  return std::move(letter.value);
}

base::Result<std::string> DeadLetters::Requeue(const LetterFilter& filter) {
  RW_ASSIGN_OR_RETURN(const auto sink, bus_.MakeSink());
  const auto tally = std::make_shared<Tally>();
  RW_RETURN_IF_ERROR(ForEach([&](base::Record&& letter) {
    return filter.Admits(letter) ? SendAgain(*sink, letter, tally) : base::Status::Ok();
  }));
  RW_RETURN_IF_ERROR(sink->Close(kDeliveryTimeout));
  const std::scoped_lock lock(tally->mutex);
  return tally->lines + Dump(Json{{"requeued", tally->requeued}, {"refused", tally->refused}}) + "\n";
}

void DeadLetters::ServeOn(base::HttpServer& server) {
  server.Handle("GET", "/api/v1/dlq", [this](const base::HttpRequest& request) {
    LetterFilter filter{request.Query("stage"), request.Query("reason"), request.Query("topic"), {}};
    const std::string limit = request.Query("limit", "100");
    size_t number = 0;
    const auto end = std::from_chars(limit.data(), limit.data() + limit.size(), number);
    if (end.ec != std::errc() || end.ptr != limit.data() + limit.size())
      return Answer(base::InvalidArgument("limit '" + limit + "' is no number"), "");
    return Answer(List(filter, number), "application/x-ndjson");
  });
  server.Handle("GET", "/api/v1/dlq/(\\d+/\\d+)",
                [this](const base::HttpRequest& request) { return Answer(Show(request.captures.at(0)), "application/json"); });
  server.Handle("GET", "/api/v1/dlq/(\\d+/\\d+)/value", [this](const base::HttpRequest& request) {
    return Answer(Value(request.captures.at(0)), "application/octet-stream");
  });
  server.Handle("POST", "/api/v1/dlq/requeue", [this](const base::HttpRequest& request) {
    const auto type = request.headers.find("content-type");
    if (type == request.headers.end() || !type->second.starts_with("application/json"))
      return Answer(base::InvalidArgument("dlq requeue: Content-Type must be application/json"), "");
    const auto filter = FilterOf(request.body);
    return filter.ok() ? Answer(Requeue(*filter), "application/x-ndjson") : Answer(filter.status(), "");
  });
}

}  // namespace racewatch::cli
