// One rule's judgement of one series at the end of one step: is it high enough to open, calm enough to close, or is too
// little known to say. Pure in (rule, series, step, since when it is open, view). The life of an alert around it lies in
// alert_engine.cc. Throughout, a low coverage holds: a gap is neither a drop nor a silence.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "store/alert/series_view.h"

namespace racewatch::v1 {
class RuleConfig;
}

namespace racewatch::store {

struct Span {
  base::UnixMs from = 0, to = 0;
};

struct Judgement {
  Span window;            // what the alert speaks of: the rule's own window, or the part that says most
  Span evidence;          // where its articles lie
  WatchedSeries shown;    // whose articles they are
  WindowCounts counts;    // stories and publishers of the alert; for a silence of the week before it
  double observed = 0;    // a count, or a share for share shift and stance flip
  double expected = 0;    // likewise
  double score = 0;
  double coverage = 0;
  uint32_t whole = 0;     // articles of the rule's own window where they make an update when they double, else 0
  bool held = false;      // too little is known: neither opens nor closes
  bool high = false;      // reaches the opening level, with enough publishers
  bool calm = false;      // at or below the closing level
  bool after_gap = false; // what piled up during an outage would look the same
};

// Trailing window of the rule, in seconds. `rule` has its defaults throughout.
uint32_t RuleWindowS(const v1::RuleConfig& rule);

// True for rules that are looked at on whole hours only.
bool IsHourly(const v1::RuleConfig& rule);

// `open_since`: start of the opening window of an open alert, whose own articles stay out of the baseline.
Judgement Judge(const v1::RuleConfig& rule, const WatchedSeries& series, base::UnixMs step_end,
                std::optional<base::UnixMs> open_since, const SeriesView& view);

}  // namespace racewatch::store
