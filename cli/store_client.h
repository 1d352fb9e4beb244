// How the operations commands ask a running store: GET under /api/v1/ of its HTTP address, JSON back. One call at a
// time, used by main threads only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace CLI {
class App;
}

namespace racewatch::cli {

inline constexpr char kDefaultStoreServer[] = "127.0.0.1:8470";

using Parameters = std::vector<std::pair<std::string, std::string>>;

// The body of 200. UNAVAILABLE: nobody answers there; INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION: what the store said.
// Parameters with an empty value are left out.
base::Result<std::string> AskStore(const std::string& server, const std::string& path, const Parameters& parameters);

// The same as JSON that has this member. UNAVAILABLE as well: the answer is none.
base::Result<nlohmann::ordered_json> AskStoreFor(const char* member, const std::string& server, const std::string& path,
                                                 const Parameters& parameters);

// POST to the same place; otherwise alike.
base::Result<std::string> TellStore(const std::string& server, const std::string& path, const std::string& body,
                                    const char* content_type = "application/json");

// --server of a command that asks a store.
void AddServerFlag(CLI::App& app, std::string* server);

// Prints why the store did not answer `command` and returns the exit code: what it cannot make sense of is the fault of the
// command line, what it does not know that of the data.
int FailToAsk(const char* command, const base::Status& status);

// A member as text: strings without quotes, "-" when absent.
std::string Text(const nlohmann::ordered_json& object, const char* member);

}  // namespace racewatch::cli
