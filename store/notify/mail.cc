#include "store/notify/mail.h"

#include <google/protobuf/util/time_util.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>

#include "racewatch/v1/alert.pb.h"
#include "store/notify/webhook.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kBase64LineBytes = 57;  // 76 characters

std::string CeId(const v1::Alert& alert) { return alert.id() + "/" + std::to_string(alert.sequence()); }

std::string Number(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4g", value);
  return out;
}

std::string_view StateWord(const v1::Alert& alert) {
  switch (alert.state()) {
    case v1::ALERT_STATE_UPDATE: return "changed";
    case v1::ALERT_STATE_CLOSE: return "over";
    default: return "opened";
  }
}

// What a header line may hold; rule and label names are ASCII, a query's name too.
std::string HeaderText(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return text;
}

// RFC 5322 in UTC, whatever the locale.
std::string Date(base::UnixMs now) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t seconds = now / 1000;
  tm t{};
  gmtime_r(&seconds, &t);
  char out[64];
  std::snprintf(out, sizeof out, "%s, %d %s %d %02d:%02d:%02d +0000", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon], t.tm_year + 1900,
                t.tm_hour, t.tm_min, t.tm_sec);
  return out;
}

std::string Base64Lines(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += kBase64LineBytes) {
    const std::string_view line = text.substr(i, kBase64LineBytes);
    unsigned char encoded[80];
    const int n = EVP_EncodeBlock(encoded, reinterpret_cast<const unsigned char*>(line.data()), static_cast<int>(line.size()));
    out.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(n)).append("\r\n");
  }
  return out;
}

void AppendAlert(const v1::Alert& alert, std::string* out) {
  *out += alert.key() + ": " + std::string(StateWord(alert)) + " at " + TimeUtil::ToString(alert.at()) + "\n";
  *out += "  seen " + Number(alert.observed()) + ", expected " + Number(alert.expected()) + " in " + alert.window() + "; score " +
          Number(alert.score()) + "\n";
  *out += "  " + std::to_string(alert.publishers()) + " publishers, " + std::to_string(alert.stories()) + " stories, coverage " +
          Number(alert.coverage()) + "; open since " + TimeUtil::ToString(alert.opened_at()) + "\n";
  for (const v1::AlertEvidence& one : alert.evidence()) {
    *out += "\n  * " + one.title() + " (" + one.publisher() + ")\n    " + one.url() + "\n";
    if (!one.snippet().empty()) *out += "    " + one.snippet() + "\n";
  }
  *out += "\n  alert " + CeId(alert) + ", model " + alert.model_version() + "\n\n";
}

// By rule, in order of names; of each alert the last state, in the order in which the alerts first came.
std::string Body(const std::vector<v1::Alert>& alerts) {
  std::map<std::string, std::vector<const v1::Alert*>> rules;
  for (const v1::Alert& alert : alerts) {
    auto& known = rules[alert.rule()];
    const auto at = std::find_if(known.begin(), known.end(), [&](const v1::Alert* one) { return one->id() == alert.id(); });
    if (at == known.end()) known.push_back(&alert);
    else if ((*at)->sequence() < alert.sequence()) *at = &alert;
  }
  std::string out;
  for (const auto& [rule, known] : rules) {
    out += "Rule " + rule + "\n" + std::string(rule.size() + 5, '-') + "\n";
    for (const v1::Alert* alert : known) AppendAlert(*alert, &out);
  }
  return out;
}

std::string Subject(const MailOptions& options, const std::vector<v1::Alert>& alerts) {
  if (!options.digest) {
    const v1::Alert& alert = alerts.front();
    return "[racewatch] " + alert.rule() + ": " + alert.key() + " " + std::string(StateWord(alert));
  }
  std::map<std::string_view, int> states;
  for (const v1::Alert& alert : alerts) ++states[StateWord(alert)];
  std::string counts;
  for (const std::string_view state : {"opened", "changed", "over"})
    if (states.contains(state)) counts += (counts.empty() ? "" : ", ") + std::to_string(states[state]) + " " + std::string(state);
  return "[racewatch] alerts: " + counts;
}

}  // namespace

std::string MakeMail(const MailOptions& options, const std::vector<v1::Alert>& alerts, base::UnixMs now) {
  const std::string domain = options.from.substr(options.from.rfind('@') + 1);
  const auto message_id = [&domain](const v1::Alert& alert, uint32_t sequence) {
    return "<" + HeaderText(alert.id()) + "." + std::to_string(sequence) + "@" + domain + ">";
  };
  std::string out;
  const auto add = [&out](const std::string& name, const std::string& value) { out += name + ": " + value + "\r\n"; };
  add("Date", Date(now));
  add("From", "racewatch <" + options.from + ">");
  std::string to;
  for (const std::string& address : options.to) to += (to.empty() ? "" : ",\r\n ") + address;
  add("To", to);
  add("Subject", HeaderText(Subject(options, alerts)));
  if (options.digest) {
    add("Message-ID", "<digest." + DeliveryId(options.subscriber, alerts) + "@" + domain + ">");
  } else {
    const v1::Alert& alert = alerts.front();
    add("Message-ID", message_id(alert, alert.sequence()));
    if (alert.sequence() > 1)
      for (const char* name : {"In-Reply-To", "References"}) add(name, message_id(alert, 1));
  }
  std::string ids;
  for (const v1::Alert& alert : alerts) ids += (ids.empty() ? "" : ",\r\n ") + HeaderText(CeId(alert));
  add("Racewatch-Alerts", ids);
  add("Auto-Submitted", "auto-generated");
  add("MIME-Version", "1.0");
  add("Content-Type", "text/plain; charset=utf-8");
  add("Content-Transfer-Encoding", "base64");
  return out + "\r\n" + Base64Lines(Body(alerts));
}

}  // namespace racewatch::store
