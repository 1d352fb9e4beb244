// An alert as it lies on racewatch.alerts.v1: JSON value (docs/alert.schema.json), CloudEvents 1.0 binary
// mode headers, record key. Stateless functions; the outbox publisher and the API call them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace racewatch::v1 {
class Alert;
}

namespace racewatch::store {

// One object, field names and order of the contract, times RFC 3339 UTC with milliseconds when they have
// any, state open|update|close. Every field is present; empty series fields are left out.
std::string AlertJson(const v1::Alert& alert);

// ce_specversion, ce_id (ID/SEQUENCE), ce_source, ce_type, ce_time, ce_subject (ID), content-type.
std::vector<std::pair<std::string, std::string>> AlertHeaders(const v1::Alert& alert);

// `rule|key`.
std::string AlertRecordKey(const v1::Alert& alert);

// "open", "update" or "close".
std::string_view AlertStateName(const v1::Alert& alert);

}  // namespace racewatch::store
