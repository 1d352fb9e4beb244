#include "ingest/feed_requests.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace racewatch::ingest {
base::Result<v1::ListedFeed> ParseListedFeed(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return base::InvalidArgument("not a JSON object");
  v1::ListedFeed feed;
  for (const auto& [name, value] : json.items()) {
    const bool number = name == "interval_s";
    if (number ? !value.is_number_unsigned() || value.get<uint64_t>() > 2'592'000 : !value.is_string())
      return base::InvalidArgument(name + ": " + (number ? "not a number of seconds up to 30 days" : "not a string"));
    if (name == "url")
      feed.set_url(value.get<std::string>());
    else if (name == "title")
      feed.set_title(value.get<std::string>());
    else if (name == "publisher_group")
      feed.set_publisher_group(value.get<std::string>());
    else if (name == "language")
      feed.set_language(value.get<std::string>());
    else if (name == "folder")
      feed.set_folder(value.get<std::string>());
    else if (number)
      feed.set_interval_s(value.get<uint32_t>());
    else
      return base::InvalidArgument(name + ": no such field");
  }
  if (feed.url().empty()) return base::InvalidArgument("url: is missing");
  if (feed.url().size() > kFeedUrlBytesMax) return base::InvalidArgument("url: longer than 8192 bytes");
  return feed;
}

FeedReply FeedRequests::Ask(FeedChange change, std::chrono::milliseconds patience) {
  const FeedReply away{503, R"({"error":"ingest is stopping or busy; try again"})"};
  std::future<FeedReply> reply;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return away;
    waiting_.push_back({std::move(change), {}});
    reply = waiting_.back().reply.get_future();
  }
  wake_();
  return reply.wait_for(patience) == std::future_status::ready ? reply.get() : away;
}

void FeedRequests::Serve(const std::function<FeedReply(const FeedChange&)>& serve) {
  std::vector<Request> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(waiting_);
  }
  for (Request& request : requests) request.reply.set_value(serve(request.change));
}

void FeedRequests::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Request& request : waiting_) request.reply.set_value({503, R"({"error":"ingest is stopping"})"});
  waiting_.clear();
}

}  // namespace racewatch::ingest
