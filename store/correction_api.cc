#include "store/correction_api.h"

#include <google/protobuf/util/json_util.h>

#include <string>

#include "racewatch/v1/store_service.pb.h"
#include "store/corrections.h"
#include "store/http_params.h"

namespace racewatch::store {
namespace {

base::Status ReadRequest(const base::HttpRequest& request, v1::AddCorrectionRequest* out) {
  const auto type = request.headers.find("content-type");
  if (type == request.headers.end() || !type->second.starts_with("application/json"))
    return base::InvalidArgument("corrections: Content-Type must be application/json");
  const auto read = google::protobuf::util::JsonStringToMessage(request.body, out);
  if (read.ok()) return {};
  return base::InvalidArgument("corrections: {article, labels, reader, note} is needed: " + std::string(read.message()).substr(0, 200));
}

}  // namespace

CorrectionApi::CorrectionApi(base::HttpServer& server) {
  server.Handle("POST", "/api/v1/corrections", [this](const base::HttpRequest& request) { return Add(request); });
}

base::HttpResponse CorrectionApi::Add(const base::HttpRequest& http) {
  Corrections* corrections = corrections_;
  v1::AddCorrectionRequest request;
  v1::AddCorrectionResponse response;
  base::Status status = corrections ? ReadRequest(http, &request) : base::Unavailable("the store is starting");
  if (status.ok()) status = corrections->Add(request, &response);
  base::HttpResponse out;
  out.status = HttpStatusFor(status);
  out.body = status.ok() ? ToJson(response) + "\n" : ErrorJson(status);
  return out;
}

}  // namespace racewatch::store
