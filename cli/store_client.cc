#include "cli/store_client.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/http_client.h"
#include "base/percent_encoding.h"
#include "cli/command.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

// The body of 200, or what went wrong in words of the server.
base::Result<std::string> Call(const std::string& server, base::HttpCall call) {
  base::HttpClient::Options options;
  options.allow_private_addresses = true;  // the operator's own process
  base::HttpClient client(options);
  call.url = "http://" + server + "/api/v1/" + call.url;
  call.body_bytes_max = 1u << 30;
  call.redirects_max = 0;
  std::optional<base::HttpReply> reply;
  client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
  while (!reply) client.Poll(std::chrono::milliseconds(1000));
  if (!reply->status.ok()) return base::Unavailable("server " + server + ": " + reply->status.message());
  if (reply->http_status == 200) return std::move(reply->body);
  const Json error = Json::parse(reply->body, nullptr, false);
  std::string why = "HTTP " + std::to_string(reply->http_status);
  for (const char* member : {"error", "message"})
    if (error.is_object() && error.contains(member) && error[member].is_string()) why = error[member].get<std::string>();
  if (reply->http_status == 400) return base::InvalidArgument(why);
  if (reply->http_status == 409) return base::FailedPrecondition(why);
  if (reply->http_status == 404 && error.is_object()) return base::NotFound(why);
  return base::Unavailable("server " + server + ": " + why + (reply->http_status == 404 ? " (does that process serve it?)" : ""));
}

}  // namespace

base::Result<std::string> AskStore(const std::string& server, const std::string& path, const Parameters& parameters) {
  base::HttpCall call;
  call.url = path;
  char separator = '?';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    call.url += separator + name + "=" + base::PercentEncode(value);
    separator = '&';
  }
  return Call(server, std::move(call));
}

base::Result<Json> AskStoreFor(const char* member, const std::string& server, const std::string& path, const Parameters& parameters) {
  RW_ASSIGN_OR_RETURN(const std::string body, AskStore(server, path, parameters));
  Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains(member)) return base::Unavailable("server " + server + ": no " + member + " in the answer");
  return answer;
}

base::Result<std::string> TellStore(const std::string& server, const std::string& path, const std::string& body, const char* content_type) {
  base::HttpCall call;
  call.method = "POST";
  call.url = path;
  call.headers.emplace_back("Content-Type", content_type);
  call.body = body;
  call.timeout = std::chrono::minutes(3);
  return Call(server, std::move(call));
}

void AddServerFlag(CLI::App& app, std::string* server) {
  app.add_option("--server", *server, "HTTP address of the store (default 127.0.0.1:8470, that of up)");
}

int FailToAsk(const char* command, const base::Status& status) {
  const bool usage = status.code() == base::Code::kInvalidArgument, unknown = status.code() == base::Code::kNotFound;
  return Fail(usage ? kExitUsage : unknown ? kExitBadData : ExitCodeFor(status), std::string(command) + ": " + status.message());
}

std::string Text(const Json& object, const char* member) {
  if (!object.contains(member) || object[member].is_null()) return "-";
  const Json& value = object[member];
  if (value.is_number_float()) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.4g", value.get<double>());
    return buffer;
  }
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace racewatch::cli
