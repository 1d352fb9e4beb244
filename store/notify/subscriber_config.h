// Subscribers and silences as configured: validation with every problem at once, defaults, and what a subscriber is told
// of. Pure functions, but for ReadSecrets and ReadPassword.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"

namespace racewatch::v1 {
class Alert;
class EmailConfig;
class SilenceConfig;
class StoreConfig;
class SubscriberConfig;
}  // namespace racewatch::v1

namespace racewatch::store {

inline constexpr int kSubscribersMax = 50;

// Problems as `subscribers[i].member: what` and `silences[i].member: what`. Rule names in routes must be those of a rule.
void ValidateSubscribers(const v1::StoreConfig& config, base::Problems* problems);

v1::SubscriberConfig SubscriberWithDefaults(const v1::SubscriberConfig& subscriber);

// The first line of each file. NOT_FOUND or INVALID_ARGUMENT name the file, never its content.
base::Result<std::vector<std::string>> ReadSecrets(const v1::SubscriberConfig& subscriber);

// The first line of the file; empty without a login. Errors likewise.
base::Result<std::string> ReadPassword(const v1::EmailConfig& email);

// True when one of the subscriber's matches takes the alert, or when it has none. Mail subscribers never want a
// repeat.
bool Wants(const v1::SubscriberConfig& subscriber, const v1::Alert& alert);

// True when a silence covers it at Alert.at.
bool Silenced(const std::vector<v1::SilenceConfig>& silences, const v1::Alert& alert);

}  // namespace racewatch::store
