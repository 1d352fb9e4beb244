// One GET endpoint of the store, for routing, for checks of its parameters and for the OpenAPI document. Plain data; the
// tables of endpoints (http_api.cc, syndication/streams.cc) live as long as the process.
#pragma once

#include <string_view>
#include <vector>

#include "base/http_server.h"
#include "store/http_params.h"

namespace racewatch::store {

class Query;

struct Endpoint {
  std::string_view path;      // as in the OpenAPI document; {names} are string parameters
  std::string_view pattern;   // as routed
  std::string_view summary;
  std::string_view response;  // what 200 holds
  std::vector<Parameter> parameters;
  base::HttpResponse (*answer)(const Query&, const base::HttpRequest&);  // nullptr: a stream of lines
  std::string_view content_type = "application/json";
};

// Parameters of an article filter, as ReadFilter takes them; and of pages.
const std::vector<Parameter>& FilterParameters();
const std::vector<Parameter>& PageParameters();

}  // namespace racewatch::store
