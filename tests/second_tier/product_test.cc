#include "classify/second_tier/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

class ProductTest : public testing::Test {
 protected:
  // x W' with all scales, rows × out.
  std::vector<float> Multiply(bool bytes, size_t rows, size_t in, size_t out, const std::vector<float>& x, const std::vector<float>& w) {
    Product product(engine_, bytes, in, out);
    const Weights weights = product.Pack(stream_, [&](size_t row, float* to) { std::copy_n(w.data() + row * in, in, to); });
    Rows of(bytes);
    of.Resize(rows, in);
    for (size_t r = 0; r < rows; ++r) of.Set(r, x.data() + r * in);
    std::vector<float> y(rows * out);
    product.Run(stream_, rows, weights, &of, y.data());
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < out; ++o) y[r * out + o] *= of.scale(r) * weights.scales[o];
    return y;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
};

std::vector<double> Expected(size_t rows, size_t in, size_t out, const std::vector<float>& x, const std::vector<float>& w) {
  std::vector<double> y(rows * out);
  for (size_t r = 0; r < rows; ++r)
    for (size_t o = 0; o < out; ++o)
      for (size_t i = 0; i < in; ++i) y[r * out + o] += double{x[r * in + i]} * w[o * in + i];
  return y;
}

// The length of the difference as a part of that of what was expected.
double Difference(const std::vector<float>& y, const std::vector<double>& expected) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < y.size(); ++i) apart += std::pow(y[i] - expected[i], 2), length += expected[i] * expected[i];
  return std::sqrt(apart / length);
}

TEST_F(ProductTest, SinglePrecisionIsThePlainProduct) {
  const auto x = Noise(1, 64 * 48, 2), w = Noise(2, 80 * 48, 0.1f);
  EXPECT_LT(Difference(Multiply(false, 64, 48, 80, x, w), Expected(64, 48, 80, x, w)), 1e-6);
}

TEST_F(ProductTest, BytesAreWithinOneInAHundred) {
  const auto x = Noise(3, 64 * 48, 2), w = Noise(4, 80 * 48, 0.1f);
  const double apart = Difference(Multiply(true, 64, 48, 80, x, w), Expected(64, 48, 80, x, w));
  EXPECT_LT(apart, 0.01);
  EXPECT_GT(apart, 1e-5);  // bytes they were
}

// Wholes up to 127 that reach it are bytes as they are: nothing is lost, no sum overflows.
TEST_F(ProductTest, WholesAreExact) {
  constexpr size_t kIn = 512;
  std::vector<float> x(32 * kIn, 127), w(32 * kIn);
  for (size_t i = 0; i < w.size(); ++i) w[i] = i % kIn ? static_cast<float>(static_cast<int>(i * 37 % 255) - 127) : 127;
  const std::vector<float> y = Multiply(true, 32, kIn, 32, x, w);
  const std::vector<double> expected = Expected(32, kIn, 32, x, w);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6 * 127 * 127 * kIn) << i;
}

TEST_F(ProductTest, EveryRowHasItsOwnScale) {
  std::vector<float> x = Noise(5, 32 * 48, 1), w = Noise(6, 32 * 48, 1);
  for (size_t i = 0; i < 48; ++i) x[i] *= 1e6f, x[48 + i] *= 1e-6f, x[96 + i] = 0, w[i] *= 1e4f;
  const std::vector<float> y = Multiply(true, 32, 48, 32, x, w);
  const std::vector<double> expected = Expected(32, 48, 32, x, w);
  for (size_t r : {0, 1, 3})
    EXPECT_LT(Difference({y.begin() + r * 32, y.begin() + (r + 1) * 32}, {expected.begin() + r * 32, expected.begin() + (r + 1) * 32}), 0.02) << r;
  for (size_t o = 0; o < 32; ++o) EXPECT_EQ(y[64 + o], 0) << o;
}

TEST_F(ProductTest, RoundsToTheNearest) {
  Rows rows(true);
  rows.Resize(1, 6);
  const float from[] = {127, 0.4f, 0.6f, -0.6f, 1.5f, -127};
  rows.Set(0, from);
  const auto* bytes = static_cast<const int8_t*>(rows.data());
  EXPECT_EQ(std::vector<int>(bytes, bytes + 6), (std::vector<int>{127, 0, 1, -1, 2, -127}));
  EXPECT_FLOAT_EQ(rows.scale(0), 1);
}

}  // namespace
}  // namespace racewatch::classify
