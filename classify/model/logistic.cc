#include "classify/model/logistic.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "classify/model/hash.h"

namespace racewatch::classify {
namespace {

constexpr int kPassesMax = 60;
constexpr double kTolerance = 0.01;
constexpr double kBiasValue = 1.0;
constexpr double kRatioMax = 3.0;

// Fisher-Yates with our own generator: std::shuffle may differ between standard libraries.
void Shuffle(std::vector<uint32_t>& order, uint64_t* state) {
  for (size_t i = order.size(); i > 1; --i) {
    *state += 0x9e3779b97f4a7c15ULL;
    std::swap(order[i - 1], order[Mix(*state) % i]);
  }
}

// Minimises the one-variable problem of example i: z in (0, cost), starting at `alpha`.
double SolveOne(double alpha, double cost, double a, double b) {
  double z = std::clamp(alpha, 1e-9 * cost, cost * (1 - 1e-9));
  for (int i = 0; i < 20; ++i) {
    const double gradient = a * (z - alpha) + b + std::log(z / (cost - z));
    const double curvature = a + cost / (z * (cost - z));
    const double next = z - gradient / curvature;
    if (next <= 0) z *= 0.1;
    else if (next >= cost) z = cost - 0.1 * (cost - z);
    else z = next;
    if (std::fabs(gradient) < 1e-4) break;
  }
  return z;
}

// Column j is worth 1 - ratio + ratio x |ln(p_j / q_j)|, p and q its shares of the cost of each label, add-one smoothed.
std::vector<double> ColumnScale(const SparseMatrix& x, std::span<const Example> examples, double ratio) {
  std::vector<double> scale(x.columns, 1.0);
  if (ratio == 0 || examples.empty()) return scale;
  std::vector<double> cost[2] = {std::vector<double>(x.columns), std::vector<double>(x.columns)};
  double total[2] = {};
  for (const Example& e : examples) {
    total[e.positive] += e.cost;
    for (uint32_t k = x.begin[e.row]; k < x.begin[e.row + 1]; ++k) cost[e.positive][x.column[k]] += e.cost;
  }
  const double one = (total[0] + total[1]) / static_cast<double>(examples.size());
  for (uint32_t j = 0; j < x.columns; ++j) {
    const double p = (cost[1][j] + one) / (total[1] + 2 * one), q = (cost[0][j] + one) / (total[0] + 2 * one);
    scale[j] = 1 - ratio + ratio * std::min(kRatioMax, std::fabs(std::log(p / q)));
  }
  return scale;
}

}  // namespace

float LinearHead::Logit(const SparseMatrix& x, size_t row) const {
  double sum = bias;
  for (uint32_t i = x.begin[row]; i < x.begin[row + 1]; ++i) sum += double{weight[x.column[i]]} * x.value[i];
  return static_cast<float>(sum);
}

LinearHead FitLogistic(const SparseMatrix& x, std::span<const Example> examples, double ratio, uint64_t seed) {
  const std::vector<double> scale = ColumnScale(x, examples, ratio);
  const auto value = [&](uint32_t k) { return x.value[k] * scale[x.column[k]]; };
  std::vector<double> w(x.columns, 0.0);
  double bias = 0;
  std::vector<double> alpha(examples.size()), norm(examples.size());
  const auto add = [&](uint32_t row, double step) {
    for (uint32_t k = x.begin[row]; k < x.begin[row + 1]; ++k) w[x.column[k]] += step * value(k);
    bias += step * kBiasValue;
  };
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& e = examples[i];
    alpha[i] = std::min(1e-3 * e.cost, 1e-8);
    norm[i] = kBiasValue * kBiasValue;
    for (uint32_t k = x.begin[e.row]; k < x.begin[e.row + 1]; ++k) norm[i] += value(k) * value(k);
    add(e.row, (e.positive ? 1 : -1) * alpha[i]);
  }
  std::vector<uint32_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0u);
  for (int pass = 0; pass < kPassesMax; ++pass) {
    Shuffle(order, &seed);
    double change = 0;
    for (const uint32_t i : order) {
      const Example& e = examples[i];
      const double y = e.positive ? 1 : -1;
      double margin = bias * kBiasValue;
      for (uint32_t k = x.begin[e.row]; k < x.begin[e.row + 1]; ++k) margin += w[x.column[k]] * value(k);
      const double z = SolveOne(alpha[i], e.cost, norm[i], y * margin);
      const double delta = z - alpha[i];
      change = std::max(change, std::fabs(delta) / e.cost);
      alpha[i] = z;
      if (delta != 0) add(e.row, y * delta);
    }
    if (change < kTolerance) break;
  }
  LinearHead head;
  for (uint32_t j = 0; j < x.columns; ++j) head.weight.push_back(static_cast<float>(w[j] * scale[j]));
  head.bias = static_cast<float>(bias * kBiasValue);
  return head;
}

}  // namespace racewatch::classify
