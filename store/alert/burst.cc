#include "store/alert/burst.h"

#include <algorithm>
#include <cmath>

namespace racewatch::store {
namespace {

constexpr int64_t kWeekHours = 168;
constexpr double kPriorHours = 6;         // weight of the overall mean in the mean of one hour of the week
constexpr double kPriorDispersion = 0.2;  // counts of news vary by some 45 % beyond Poisson
constexpr double kPriorDispersionHours = 72;
constexpr double kLevelMin = 0.02;  // articles an hour: a silent series may still speak once in two days

int64_t HourOfWeek(base::UnixMs time) { return (time / kHourMs) % kWeekHours; }

// An old burst must neither raise the level nor widen the band: cap counts at three times the mean of the
// hours that are not zero.
double CapOf(const std::vector<HourCounts>& hours) {
  double sum = 0, n = 0;
  for (const HourCounts& hour : hours) {
    if (hour.coverage < kHourCoverageMin || hour.articles == 0) continue;
    sum += hour.articles;
    ++n;
  }
  return n > 0 ? std::max(4.0, 3 * sum / n) : 4;
}

// log of P(X = x) for a negative binomial of this mean and size.
double LogPmf(double x, double mean, double size) {
  return std::lgamma(x + size) - std::lgamma(size) - std::lgamma(x + 1) + size * std::log(size / (size + mean)) +
         x * std::log(mean / (size + mean));
}

// P(X >= x), summed from x on; terms fall at least geometrically beyond the mean.
double Tail(double x, double mean, double size) {
  double term = std::exp(LogPmf(x, mean, size)), sum = 0;
  const double ratio_limit = mean / (size + mean);
  for (int i = 0; i < 100000 && term > 0; ++i) {
    sum += term;
    term *= (x + size) / (x + 1) * ratio_limit;
    x += 1;
    if (term < sum * 1e-9) break;
  }
  return std::min(sum, 1.0);
}

}  // namespace

Baseline::Baseline(const std::vector<HourCounts>& hours, base::UnixMs from) : sums_(kWeekHours), counts_(kWeekHours) {
  const double cap = CapOf(hours);
  double total = 0;
  for (size_t i = 0; i < hours.size(); ++i) {
    if (hours[i].coverage < kHourCoverageMin) continue;
    const double count = std::min<double>(hours[i].articles, cap);
    const int64_t hour = HourOfWeek(from + static_cast<int64_t>(i) * kHourMs);
    ++covered_;
    total += count;
    for (const int64_t near : {hour + kWeekHours - 1, hour, hour + 1}) {
      sums_[static_cast<size_t>(near % kWeekHours)] += count;
      counts_[static_cast<size_t>(near % kWeekHours)] += 1;
    }
  }
  mean_ = std::max(kLevelMin, covered_ > 0 ? total / static_cast<double>(covered_) : 0);
  double excess = 0, square = 0;
  for (size_t i = 0; i < hours.size(); ++i) {
    if (hours[i].coverage < kHourCoverageMin) continue;
    const double m = HourMean(HourOfWeek(from + static_cast<int64_t>(i) * kHourMs));
    const double residual = std::min<double>(hours[i].articles, cap) - m;
    excess += residual * residual - m;
    square += m * m;
  }
  const double moment = square > 0 ? std::max(0.0, excess / square) : kPriorDispersion;
  const auto n = static_cast<double>(covered_);
  dispersion_ = (n * moment + kPriorDispersionHours * kPriorDispersion) / (n + kPriorDispersionHours);
}

double Baseline::HourMean(int64_t hour) const {
  const auto h = static_cast<size_t>(hour);
  return (sums_[h] + kPriorHours * mean_) / (counts_[h] + kPriorHours);
}

double Baseline::HourMeanVariance(int64_t hour) const {
  const double m = HourMean(hour);
  const double one = m + dispersion_ * m * m;  // variance of one hour's count
  return one / (counts_[static_cast<size_t>(hour)] + kPriorHours) + one / std::max<double>(1, static_cast<double>(covered_));
}

double Baseline::Expected(base::UnixMs from, base::UnixMs to) const {
  double sum = 0;
  for (base::UnixMs at = from; at < to;) {
    const base::UnixMs next = std::min(to, (at / kHourMs + 1) * kHourMs);
    sum += HourMean(HourOfWeek(at)) * static_cast<double>(next - at) / kHourMs;
    at = next;
  }
  return sum;
}

double Baseline::Variance(base::UnixMs from, base::UnixMs to) const {
  double sum = 0, of_mean = 0;
  for (base::UnixMs at = from; at < to;) {
    const base::UnixMs next = std::min(to, (at / kHourMs + 1) * kHourMs);
    const double part = static_cast<double>(next - at) / kHourMs;
    sum += HourMean(HourOfWeek(at)) * part;
    of_mean += HourMeanVariance(HourOfWeek(at)) * part;
    at = next;
  }
  return sum + dispersion_ * sum * sum + of_mean;
}

double UpperQuantile(double tail) {
  double low = 0, high = kScoreMax;  // the normal upper tail falls steadily: bisect
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::sqrt(2.0)) > tail ? low : high) = middle;
  }
  return low;
}

double ExcessScore(double observed, double expected, double variance) {
  if (observed <= expected || expected <= 0) return 0;
  const double over = std::max(variance - expected, expected * 1e-3);
  return UpperQuantile(Tail(observed, expected, expected * expected / over));
}

double SilenceScore(double expected, double variance) {
  if (expected <= 0) return 0;
  const double over = std::max(variance - expected, expected * 1e-3);
  return UpperQuantile(std::exp(LogPmf(0, expected, expected * expected / over)));
}

}  // namespace racewatch::store
