// Alert rules as configured: validation with every problem at once, default values, default rules, and the
// list of series a rule watches. Stateless functions for the store's configuration code and AlertEngine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "store/alert/series_view.h"

namespace racewatch::v1 {
class RuleConfig;
}

namespace racewatch::store {

// Adds a problem `FIELD[i].member: what` for every mistake: no or doubled name, no kind, unknown dimension or
// label, a label outside the dimension, windows that are no multiple of ten minutes or out of range, levels
// in the wrong order.
// `queries`: names of the saved queries that a rule may watch.
void ValidateRules(std::string_view field, const std::vector<v1::RuleConfig>& rules, const std::vector<std::string>& queries,
                   base::Problems* problems);

// The rule with every unset number replaced by its default (proto/racewatch/v1/config.proto).
v1::RuleConfig RuleWithDefaults(const v1::RuleConfig& rule);

// What runs when no rule is configured: a burst per theme, a burst per target and position (favor and
// against), and 20 articles an hour on chips_compute as a threshold.
std::vector<v1::RuleConfig> DefaultRules();

// The series a valid rule watches, in the order of base/taxonomy.h. `unsure` is never watched unless named; a stance flip
// watches targets without a position.
std::vector<WatchedSeries> SeriesOfRule(const v1::RuleConfig& rule);

}  // namespace racewatch::store
