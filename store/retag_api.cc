#include "store/retag_api.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "store/http_params.h"
#include "store/retag_report.h"
#include "store/retag_status.h"

namespace racewatch::store {
namespace {

constexpr size_t kExamplesMax = 100;
constexpr int kTries = 20;  // against others who change the list at the same moment

base::HttpResponse Answer(const base::Result<std::string>& json) {
  base::HttpResponse out;
  out.status = json.status().code() == base::Code::kFailedPrecondition ? 409 : HttpStatusFor(json.status());
  out.body = json.ok() ? *json + "\n" : ErrorJson(json.status());
  return out;
}

base::Result<std::string> Status(const View& whole) {
  RW_ASSIGN_OR_RETURN(const RetagStatus status, ReadRetag(whole));
  return ToJson(status);
}

}  // namespace

RetagApi::RetagApi(base::HttpServer& server, const base::Clock& clock) : clock_(clock) {
  server.Handle("GET", "/api/v1/retag", [this](const base::HttpRequest&) {
    const Engine* whole = whole_;
    return Answer(whole == nullptr ? base::Unavailable("the store is starting") : Status(*whole->Snapshot()));
  });
  server.Handle("GET", "/api/v1/retag/report", [this](const base::HttpRequest& request) { return Report(request); });
  server.Handle("POST", "/api/v1/retag/(begin|switch|cancel)", [this](const base::HttpRequest& request) { return Change(request); });
}

base::HttpResponse RetagApi::Report(const base::HttpRequest& request) const {
  const Engine* whole = whole_;
  if (whole == nullptr) return Answer(base::Unavailable("the store is starting"));
  const std::string text = request.Query("examples", "3");
  size_t examples = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), examples);
  if (error != std::errc() || end != text.data() + text.size() || examples > kExamplesMax)
    return Answer(base::InvalidArgument("examples: a number from 0 to " + std::to_string(kExamplesMax) + " is needed"));
  return Answer(RetagReport(*whole->Snapshot(), examples));
}

base::HttpResponse RetagApi::Change(const base::HttpRequest& request) {
  Engine* whole = whole_;
  if (whole == nullptr) return Answer(base::Unavailable("the store is starting"));
  const auto type = request.headers.find("content-type");
  if (type == request.headers.end() || !type->second.starts_with("application/json"))
    return Answer(base::InvalidArgument("retag: Content-Type must be application/json"));
  const auto body = nlohmann::json::parse(request.body, nullptr, false);
  const std::string& verb = request.captures.at(0);
  const bool named = body.is_object() && body.contains("model_version") && body["model_version"].is_string();
  if (verb == "begin" && !named) return Answer(base::InvalidArgument("retag: {\"model_version\":\"…\"} is needed"));
  base::Status status;
  for (int i = 0; i < kTries; ++i) {
    if (verb == "begin") status = BeginRetag(*whole, body["model_version"].get<std::string>(), clock_.NowMs()).status();
    else status = verb == "switch" ? RequestSwitch(*whole) : CancelRetag(*whole);
    if (status.code() != base::Code::kAborted) break;
  }
  return Answer(status.ok() ? Status(*whole->Snapshot()) : base::Result<std::string>(status));
}

}  // namespace racewatch::store
