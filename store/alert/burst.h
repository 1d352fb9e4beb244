// How improbable a count is against what this hour of the week usually brings. Three steps, all pure:
//  1. expected level of an hour of the week: mean of that hour and its neighbours over past weeks
//     (comparable periods, Farrington et al. 1996), shrunk towards the mean of all hours (gamma-Poisson);
//  2. over-dispersion by moments (negative binomial, variance m + a·m²; Lawless 1987), counts of the past
//     capped so that an old burst does not hide a new one, shrunk towards a broad prior;
//  3. score: normal quantile of the negative-binomial tail P(X >= observed) (negative-binomial bounds as in
//     Noufaily et al. 2013): 4 means a chance of 3 in 100,000, whatever the level of the series.
// The engine tries the rule's window, its last third and its last sixth, and takes the highest score.
// Cold start: the uncertainty of the mean is added to the variance, and fewer than kHoursMin covered
// hours give no score at all.
#pragma once

#include <vector>

#include "base/clock.h"
#include "store/alert/series_view.h"

namespace racewatch::store {

inline constexpr size_t kHoursMin = 24;         // hours with coverage before anything is judged
inline constexpr double kHourCoverageMin = 0.5;  // an hour below it says nothing about the level
inline constexpr double kScoreMax = 30;

class Baseline {
 public:
  // `hours[i]` is the hour that starts at `from + i·kHourMs`; hours below kHourCoverageMin are left out.
  Baseline(const std::vector<HourCounts>& hours, base::UnixMs from);

  bool ready() const { return covered_ >= kHoursMin; }
  // Articles expected in [from, to), by hour of the week.
  double Expected(base::UnixMs from, base::UnixMs to) const;
  // Variance of a count there, uncertainty of the mean included.
  double Variance(base::UnixMs from, base::UnixMs to) const;
  double dispersion() const { return dispersion_; }

 private:
  double HourMean(int64_t hour_of_week) const;
  double HourMeanVariance(int64_t hour_of_week) const;

  size_t covered_ = 0;
  double mean_ = 0;
  double dispersion_ = 0;
  std::vector<double> sums_, counts_;  // by hour of the week, neighbours included
};

// Normal quantile of the upper tail of a count with this mean and variance; 0 when observed <= expected.
double ExcessScore(double observed, double expected, double variance);

// Normal quantile of the chance that such a count is zero: how odd silence is.
double SilenceScore(double expected, double variance);

// The x at which the upper tail of the standard normal is `tail`; 0 from one half on, at most kScoreMax.
double UpperQuantile(double tail);

}  // namespace racewatch::store
