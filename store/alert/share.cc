#include "store/alert/share.h"

#include <algorithm>
#include <cmath>

#include "store/alert/burst.h"

namespace racewatch::store {
namespace {

constexpr double kPriorCorrelation = 0.01;
constexpr double kPriorWindows = 7;

double LogChoose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

double LogBeta(double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); }

// P(X >= part) of a beta-binomial with this mean and intra-class correlation.
double UpperTail(uint32_t part, uint32_t whole, double mean, double correlation) {
  const double size = 1 / correlation - 1, a = mean * size, b = (1 - mean) * size;
  double sum = 0;
  for (uint32_t k = part; k <= whole; ++k)
    sum += std::exp(LogChoose(whole, k) + LogBeta(k + a, whole - k + b) - LogBeta(a, b));
  return std::min(1.0, sum);
}

// Williams' moment estimate: E[X²] = Σ (1 + (n - 1)·rho) for Pearson's X² of the earlier windows.
double Correlation(const std::vector<ShareCount>& earlier, double usual) {
  double excess = 0, weight = 0, windows = 0;
  for (const ShareCount& one : earlier) {
    if (one.whole < 2) continue;
    const double expected = one.whole * usual;
    excess += (one.part - expected) * (one.part - expected) / (expected * (1 - usual)) - 1;
    weight += one.whole - 1;
    ++windows;
  }
  const double moment = weight > 0 ? std::clamp(excess / weight, 0.0, 0.5) : kPriorCorrelation;
  return (windows * moment + kPriorWindows * kPriorCorrelation) / (windows + kPriorWindows);
}

}  // namespace

ShareScore ScoreShare(const std::vector<ShareCount>& earlier, ShareCount now) {
  ShareScore out;
  double part = 0, whole = 0;
  size_t windows = 0;
  for (const ShareCount& one : earlier) {
    part += one.part;
    whole += one.whole;
    windows += one.whole > 0;
  }
  out.ready = windows >= kShareWindowsMin;
  if (!out.ready) return out;
  // Half an article more on both sides: a share that was never seen is rare, not impossible.
  out.usual = (part + 0.5) / (whole + 1);
  if (now.whole < 2) return out;
  const double rho = Correlation(earlier, out.usual);
  const double mean_whole = whole / static_cast<double>(windows);
  // Var(part)/(n·p·q) with the uncertainty of `usual`, written as a correlation again.
  const double inflation = 1 + (now.whole - 1) * rho + now.whole * (1 + (mean_whole - 1) * rho) / whole;
  const double correlation = std::clamp((inflation - 1) / (now.whole - 1), 1e-6, 0.9);
  const bool rises = now.part >= now.whole * out.usual;
  out.score = rises ? UpperQuantile(UpperTail(now.part, now.whole, out.usual, correlation))
                    : -UpperQuantile(UpperTail(now.whole - now.part, now.whole, 1 - out.usual, correlation));
  return out;
}

}  // namespace racewatch::store
