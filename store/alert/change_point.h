// Whether, and since when, the level of a series has changed: a likelihood-ratio CUSUM on over-dispersed counts against a
// baseline with rhythm (Höhle and Paul 2008, "Count data regression charts for the monitoring of surveillance time series";
// the recursion is Page 1954). Each hour adds the log-likelihood ratio of a negative binomial with `ratio` times the expected
// level against the expected level; the sum never falls below zero, and the last hour at which it was zero is the estimate
// of the change. A second sum looks for 1/ratio. With independent hours a false alarm at threshold h comes no more often than
// once in e^h hours (Lorden 1971). Pure functions.
#pragma once

#include <cstddef>
#include <vector>

namespace racewatch::store {

struct ChangeHour {
  double observed = 0;
  double expected = 0;
  bool covered = true;  // an hour with too little coverage adds nothing
};

struct Change {
  double score = 0;   // the greater of both sums after the last hour
  size_t since = 0;   // index of the first hour of the new level; the number of hours when there is none
  bool rise = false;
};

Change FindChange(const std::vector<ChangeHour>& hours, double dispersion, double ratio);

}  // namespace racewatch::store
