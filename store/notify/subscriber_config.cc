#include "store/notify/subscriber_config.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/taxonomy.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_json.h"
#include "store/notify/quiet_hours.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;

bool ValidName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool Fits(const std::string& pattern, const std::string& text) {
  if (pattern.ends_with('*')) return std::string_view(text).starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
  return pattern == text;
}

std::optional<base::UnixMs> Moment(const std::string& text) {
  google::protobuf::Timestamp time;
  if (!TimeUtil::FromString(text, &time)) return std::nullopt;
  return TimeUtil::TimestampToMilliseconds(time);
}

base::Result<std::string> FirstLine(const std::string& what, const std::string& name) {
  std::ifstream file(name);
  std::string line;
  if (!file) return base::NotFound(what + " " + name + ": cannot be read");
  std::getline(file, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

void CheckRuleName(const std::string& field, const std::string& name, const std::set<std::string>& rules, base::Problems* problems) {
  if (std::none_of(rules.begin(), rules.end(), [&](const std::string& rule) { return Fits(name, rule); }))
    problems->Add(field, "no rule is named '" + name + "'");
}

template <typename Values, size_t N>
void CheckLabels(const std::string& field, const Values& values, const std::array<std::string_view, N>& set, base::Problems* problems) {
  for (const std::string& value : values)
    if (std::find(set.begin(), set.end(), value) == set.end()) problems->Add(field, "unknown label '" + value + "'");
}

void CheckMatch(const std::string& at, const v1::AlertMatch& match, const std::set<std::string>& rules, const std::set<std::string>& queries,
                base::Problems* problems) {
  constexpr std::array<std::string_view, 3> kStates{"open", "update", "close"};
  for (const std::string& name : match.rules()) CheckRuleName(at + ".rules", name, rules, problems);
  CheckLabels(at + ".themes", match.themes(), base::kThemes, problems);
  CheckLabels(at + ".targets", match.targets(), base::kTargets, problems);
  CheckLabels(at + ".positions", match.positions(), base::kPositions, problems);
  CheckLabels(at + ".leans", match.leans(), base::kLeans, problems);
  for (const std::string& name : match.queries())
    if (queries.count(name) == 0) problems->Add(at + ".queries", "no query is named '" + name + "'");
  CheckLabels(at + ".states", match.states(), kStates, problems);
  if (!(match.score_min() >= 0)) problems->Add(at + ".score_min", "must be at least 0");
}

bool ValidAddress(const std::string& address) {
  const size_t at = address.rfind('@');
  return at != std::string::npos && at > 0 && at + 1 < address.size() && address.size() <= 254 &&
         std::all_of(address.begin(), address.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != ',' && c != '"'; });
}

void CheckEmail(const std::string& at, const v1::EmailConfig& email, base::Problems* problems) {
  const bool tls_first = email.server().starts_with("smtps://");
  const size_t host = email.server().find("//") + 2;
  if ((!tls_first && !email.server().starts_with("smtp://")) || email.server().size() <= host || email.server().find('/', host) != std::string::npos)
    problems->Add(at + ".server", "'" + email.server() + "' is not like smtp://HOST:PORT or smtps://HOST:PORT");
  if (email.tls() != "" && email.tls() != "starttls" && email.tls() != "none") problems->Add(at + ".tls", "'" + email.tls() + "' is not starttls or none");
  if (tls_first && !email.tls().empty()) problems->Add(at + ".tls", "smtps:// speaks TLS from the start");
  if (email.tls() == "none" && !email.username().empty()) problems->Add(at + ".username", "a password goes over TLS only");
  if (email.username().empty() != email.password_file().empty()) problems->Add(at + ".password_file", "username and password_file go together");
  else if (const auto password = ReadPassword(email); !password.ok()) problems->Add(at + ".password_file", password.status().message());
  if (!email.ca_file().empty() && !std::ifstream(email.ca_file())) problems->Add(at + ".ca_file", email.ca_file() + ": cannot be read");
  if (!ValidAddress(email.from())) problems->Add(at + ".from", "'" + email.from() + "' is no address");
  if (email.to().empty() || email.to_size() > 50) problems->Add(at + ".to", "1 to 50 addresses are needed");
  for (const std::string& to : email.to())
    if (!ValidAddress(to)) problems->Add(at + ".to", "'" + to + "' is no address");
}

// Where it goes: to a webhook or a mail server.
void CheckTransport(const std::string& at, const v1::SubscriberConfig& subscriber, base::Problems* problems) {
  if (subscriber.has_email()) {
    if (!subscriber.url().empty()) problems->Add(at + ".url", "not together with email");
    if (!subscriber.secret_files().empty()) problems->Add(at + ".secret_files", "not together with email");
    if (subscriber.allow_private_addresses()) problems->Add(at + ".allow_private_addresses", "not together with email");
    return CheckEmail(at + ".email", subscriber.email(), problems);
  }
  if (!subscriber.url().starts_with("http://") && !subscriber.url().starts_with("https://"))
    problems->Add(at + ".url", "'" + subscriber.url() + "' is not http or https");
  if (subscriber.secret_files().empty()) problems->Add(at + ".secret_files", "is required: the body is signed");
  else if (const auto secrets = ReadSecrets(subscriber); !secrets.ok()) problems->Add(at + ".secret_files", secrets.status().message());
}

void CheckSubscriber(const std::string& at, const v1::SubscriberConfig& given, const std::set<std::string>& rules,
                     const std::set<std::string>& queries, base::Problems* problems) {
  const v1::SubscriberConfig subscriber = SubscriberWithDefaults(given);
  if (!ValidName(subscriber.name())) problems->Add(at + ".name", "must be 1 to 64 of a-z 0-9 _ -, not '" + subscriber.name() + "'");
  CheckTransport(at, subscriber, problems);
  for (int i = 0; i < subscriber.match_size(); ++i)
    CheckMatch(at + ".match[" + std::to_string(i) + "]", subscriber.match(i), rules, queries, problems);
  if (subscriber.has_quiet()) CheckQuiet(at + ".quiet", subscriber.quiet(), problems);
  base::CheckRange(at + ".group_s", subscriber.group_s(), 0, 7 * 86'400, problems);
  base::CheckRange(at + ".group_max", subscriber.group_max(), 1, 1000, problems);
  base::CheckRange(at + ".timeout_s", subscriber.timeout_s(), 1, 120, problems);
  base::CheckRange(at + ".retry_s_min", subscriber.retry_s_min(), 1, 3600, problems);
  base::CheckRange(at + ".retry_s_max", subscriber.retry_s_max(), subscriber.retry_s_min(), 86'400, problems);
  base::CheckRange(at + ".give_up_hours", subscriber.give_up_hours(), 1, 24 * 60, problems);
}

bool Meets(const v1::AlertMatch& match, const v1::Alert& alert) {
  const auto any = [](const auto& values, const std::string& value) {
    return values.empty() || std::any_of(values.begin(), values.end(), [&](const std::string& one) { return Fits(one, value); });
  };
  return any(match.rules(), alert.rule()) && any(match.themes(), alert.series().theme()) &&
         any(match.targets(), alert.series().target()) && any(match.positions(), alert.series().position()) &&
         any(match.leans(), alert.series().lean()) && any(match.queries(), alert.series().query()) &&
         any(match.states(), std::string(AlertStateName(alert))) &&
         alert.score() >= match.score_min() && alert.publishers() >= match.publishers_min();
}

}  // namespace

v1::SubscriberConfig SubscriberWithDefaults(const v1::SubscriberConfig& given) {
  v1::SubscriberConfig out = given;
  if (out.group_max() == 0) out.set_group_max(100);
  if (out.group_s() == 0) out.set_group_max(1);
  if (out.timeout_s() == 0) out.set_timeout_s(out.has_email() ? 60 : 10);
  if (out.retry_s_min() == 0) out.set_retry_s_min(1);
  if (out.retry_s_max() == 0) out.set_retry_s_max(900);
  if (out.give_up_hours() == 0) out.set_give_up_hours(72);
  return out;
}

void ValidateSubscribers(const v1::StoreConfig& config, base::Problems* problems) {
  std::set<std::string> rules, queries, names;
  for (const auto& rule : config.rules()) rules.insert(rule.name());
  for (const auto& query : config.queries()) queries.insert(query.name());
  if (config.subscribers_size() > kSubscribersMax) problems->Add("subscribers", "more than " + std::to_string(kSubscribersMax));
  for (int i = 0; i < config.subscribers_size(); ++i) {
    const std::string at = "subscribers[" + std::to_string(i) + "]";
    CheckSubscriber(at, config.subscribers(i), rules, queries, problems);
    if (!names.insert(config.subscribers(i).name()).second) problems->Add(at + ".name", "'" + config.subscribers(i).name() + "' is used twice");
  }
  for (int i = 0; i < config.silences_size(); ++i) {
    const std::string at = "silences[" + std::to_string(i) + "]";
    const v1::SilenceConfig& silence = config.silences(i);
    if (!silence.rule().empty()) CheckRuleName(at + ".rule", silence.rule(), rules, problems);
    const auto from = Moment(silence.from()), until = Moment(silence.until());
    if (!from) problems->Add(at + ".from", "'" + silence.from() + "' is no RFC 3339 time");
    if (!until) problems->Add(at + ".until", "'" + silence.until() + "' is no RFC 3339 time");
    if (from && until && *until <= *from) problems->Add(at + ".until", "is not after from");
  }
}

base::Result<std::vector<std::string>> ReadSecrets(const v1::SubscriberConfig& subscriber) {
  std::vector<std::string> secrets;
  for (const std::string& name : subscriber.secret_files()) {
    RW_ASSIGN_OR_RETURN(std::string line, FirstLine("secret file", name));
    if (line.size() < 16) return base::InvalidArgument("secret file " + name + ": the first line has fewer than 16 characters");
    secrets.push_back(std::move(line));
  }
  return secrets;
}

base::Result<std::string> ReadPassword(const v1::EmailConfig& email) {
  if (email.password_file().empty()) return std::string();
  RW_ASSIGN_OR_RETURN(std::string line, FirstLine("password file", email.password_file()));
  if (line.empty()) return base::InvalidArgument("password file " + email.password_file() + ": the first line is empty");
  return line;
}

bool Wants(const v1::SubscriberConfig& subscriber, const v1::Alert& alert) {
  if (subscriber.has_email() && alert.repeat()) return false;  // a person needs no daily reminder of what is open
  return subscriber.match().empty() ||
         std::any_of(subscriber.match().begin(), subscriber.match().end(), [&](const auto& match) { return Meets(match, alert); });
}

bool Silenced(const std::vector<v1::SilenceConfig>& silences, const v1::Alert& alert) {
  const base::UnixMs at = TimeUtil::TimestampToMilliseconds(alert.at());
  return std::any_of(silences.begin(), silences.end(), [&](const v1::SilenceConfig& silence) {
    return (silence.rule().empty() || Fits(silence.rule(), alert.rule())) && (silence.key().empty() || Fits(silence.key(), alert.key())) &&
           Moment(silence.from()).value_or(at + 1) <= at && at < Moment(silence.until()).value_or(at);
  });
}

}  // namespace racewatch::store
