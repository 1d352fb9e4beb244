// Alerts as an e-mail (RFC 5322, MIME): one alert, or a digest with one section a rule and one paragraph an alert, by its last
// state. The Message-ID is made of the ce_id (of a digest: of all of them), so that a repeat is the same message to a mail
// program; what follows an opening refers to it. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace racewatch::v1 {
class Alert;
}

namespace racewatch::store {

struct MailOptions {
  std::string subscriber;
  std::string from;
  std::vector<std::string> to;
  bool digest = false;  // several alerts, or one that may come with others another time
};

// The whole message with CRLF, for `alerts` (at least one) at `now`.
//   Message-ID: <ID.SEQUENCE@DOMAIN> or <digest.HASH@DOMAIN>, DOMAIN that of `from`
//   Racewatch-Alerts: every ce_id in it
std::string MakeMail(const MailOptions& options, const std::vector<v1::Alert>& alerts, base::UnixMs now);

}  // namespace racewatch::store
