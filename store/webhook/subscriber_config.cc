#include "store/webhook/subscriber_config.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/taxonomy.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_json.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int64_t kDayMinutes = 24 * 60;

bool ValidName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool Fits(const std::string& pattern, const std::string& text) {
  if (pattern.ends_with('*')) return std::string_view(text).starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
  return pattern == text;
}

// Minutes of the day of HH:MM; nullopt: it is none.
std::optional<int64_t> Minutes(const std::string& text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const int64_t hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

std::optional<base::UnixMs> Moment(const std::string& text) {
  google::protobuf::Timestamp time;
  if (!TimeUtil::FromString(text, &time)) return std::nullopt;
  return TimeUtil::TimestampToMilliseconds(time);
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

void CheckQuiet(const std::string& at, const v1::QuietHours& quiet, base::Problems* problems) {
  if (!Minutes(quiet.from())) problems->Add(at + ".from", "'" + quiet.from() + "' is no HH:MM");
  if (!Minutes(quiet.to())) problems->Add(at + ".to", "'" + quiet.to() + "' is no HH:MM");
  if (Minutes(quiet.from()) && quiet.from() == quiet.to()) problems->Add(at, "is empty: from is to");
  if (quiet.utc_offset_minutes() < -720 || quiet.utc_offset_minutes() > 840)
    problems->Add(at + ".utc_offset_minutes", "must be from -720 to 840");
  if (!(quiet.score_urgent() >= 0)) problems->Add(at + ".score_urgent", "must be at least 0");
}

void CheckSubscriber(const std::string& at, const v1::SubscriberConfig& given, const std::set<std::string>& rules,
                     const std::set<std::string>& queries, base::Problems* problems) {
  const v1::SubscriberConfig subscriber = SubscriberWithDefaults(given);
  if (!ValidName(subscriber.name())) problems->Add(at + ".name", "must be 1 to 64 of a-z 0-9 _ -, not '" + subscriber.name() + "'");
  if (!subscriber.url().starts_with("http://") && !subscriber.url().starts_with("https://"))
    problems->Add(at + ".url", "'" + subscriber.url() + "' is not http or https");
  if (subscriber.secret_files().empty()) problems->Add(at + ".secret_files", "is required: the body is signed");
  else if (const auto secrets = ReadSecrets(subscriber); !secrets.ok()) problems->Add(at + ".secret_files", secrets.status().message());
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
  if (out.timeout_s() == 0) out.set_timeout_s(10);
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
    std::ifstream file(name);
    std::string line;
    if (!file) return base::NotFound("secret file " + name + ": cannot be read");
    std::getline(file, line);
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() < 16) return base::InvalidArgument("secret file " + name + ": the first line has fewer than 16 characters");
    secrets.push_back(std::move(line));
  }
  return secrets;
}

bool Wants(const v1::SubscriberConfig& subscriber, const v1::Alert& alert) {
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

bool IsQuiet(const v1::QuietHours& quiet, base::UnixMs now) {
  const auto from = Minutes(quiet.from()), to = Minutes(quiet.to());
  if (!from || !to) return false;
  const int64_t minute = ((now / 60'000 + quiet.utc_offset_minutes()) % kDayMinutes + kDayMinutes) % kDayMinutes;
  return *from <= *to ? minute >= *from && minute < *to : minute >= *from || minute < *to;
}

}  // namespace racewatch::store
