// Query parameters → requests of StoreService, and answers → JSON and CSV. Pure functions, any thread. Every error
// is INVALID_ARGUMENT and names the parameter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_server.h"
#include "base/status.h"

namespace google::protobuf {
class Message;
}
namespace racewatch::v1 {
class ArticleFilter;
class CompareTrendsRequest;
class CompareTrendsResponse;
class GetCoverageRequest;
class GetCoverageResponse;
class GetTrendsRequest;
class GetTrendsResponse;
class ListAlertsRequest;
class ListCorrectionsRequest;
class ListStoriesRequest;
class SampleArticlesRequest;
}  // namespace racewatch::v1

namespace racewatch::store {

// One parameter of an endpoint, for checks and for the OpenAPI document.
struct Parameter {
  std::string_view name;
  std::string_view type;  // string, integer or boolean
  std::string_view what;
};

base::Status CheckParameters(const base::HttpRequest& request, const std::vector<Parameter>& known);

base::Status ReadTrends(const base::HttpRequest& request, v1::GetTrendsRequest* out);
base::Status ReadCompare(const base::HttpRequest& request, v1::CompareTrendsRequest* out);
base::Status ReadCoverageRequest(const base::HttpRequest& request, v1::GetCoverageRequest* out);
base::Status ReadStories(const base::HttpRequest& request, v1::ListStoriesRequest* out);
base::Status ReadAlerts(const base::HttpRequest& request, v1::ListAlertsRequest* out);
base::Status ReadCorrections(const base::HttpRequest& request, v1::ListCorrectionsRequest* out);
base::Status ReadSample(const base::HttpRequest& request, v1::SampleArticlesRequest* out);
base::Status ReadFilter(const base::HttpRequest& request, v1::ArticleFilter* out);
base::Status ReadPage(const base::HttpRequest& request, uint32_t* size, std::string* token);
base::Result<bool> ReadBool(const base::HttpRequest& request, const std::string& name, bool otherwise);

// proto3 JSON on one line, names as in the proto, zeros printed.
std::string ToJson(const google::protobuf::Message& message);
std::string ErrorJson(const base::Status& status);
int HttpStatusFor(const base::Status& status);

// RFC 4180 with a header line.
std::string ToCsv(const v1::GetTrendsResponse& response);
std::string ToCsv(const v1::CompareTrendsResponse& response);
std::string ToCsv(const v1::GetCoverageResponse& response);
bool WantsCsv(const base::HttpRequest& request);

}  // namespace racewatch::store
