#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "classify/second_tier/gguf.h"

namespace racewatch::classify {
namespace {

// A block of arbitrary bytes; the test below puts half of 0.5 and 0.25 where its scales are.
std::vector<uint8_t> Block(size_t bytes) {
  std::vector<uint8_t> out;
  uint32_t x = 1;
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>((x = (x * 1103515245u + 12345u) & 0x7fffffffu) >> 16));
  return out;
}

std::vector<float> Numbers(GgufType type, std::vector<uint8_t> block, std::vector<size_t> scales_at, size_t count) {
  const uint16_t halves[] = {0x3800, 0x3400};
  for (size_t i = 0; i < scales_at.size(); ++i) {
    block[scales_at[i]] = static_cast<uint8_t>(halves[i] & 255);
    block[scales_at[i] + 1] = static_cast<uint8_t>(halves[i] >> 8);
  }
  std::vector<float> out(count);
  Dequantize({type, count, 1, block.data()}, 0, 1, out.data());
  return out;
}

double Sum(const std::vector<float>& numbers) {
  double sum = 0;
  for (const float x : numbers) sum += x;
  return sum;
}

// The expected values are those of ggml's own Python package for the same bytes.
TEST(DequantizeTest, ReadsEightBitBlocksAsGgmlDoes) {
  const auto y = Numbers(GgufType::kQ8_0, Block(34), {0}, 32);
  EXPECT_EQ((std::vector<float>{y[0], y[1], y[17], y[31]}), (std::vector<float>{-63.5f, 53.5f, -17, 43}));
  EXPECT_EQ(Sum(y), 203);
}

TEST(DequantizeTest, ReadsFourBitBlocksAsGgmlDoes) {
  const auto y = Numbers(GgufType::kQ4_K, Block(144), {0, 2}, 256);
  EXPECT_EQ((std::vector<float>{y[0], y[1], y[31], y[32], y[63], y[127], y[128], y[200], y[255]}),
            (std::vector<float>{0.5f, 77.5f, 55.5f, -13.5f, 134, 110.25f, 204.25f, 282.5f, 178.5f}));
  EXPECT_EQ(Sum(y), 39072);
}

TEST(DequantizeTest, ReadsSixBitBlocksAsGgmlDoes) {
  const auto y = Numbers(GgufType::kQ6_K, Block(210), {208}, 256);
  EXPECT_EQ((std::vector<float>{y[0], y[17], y[32], y[63], y[100], y[128], y[161], y[255]}),
            (std::vector<float>{-288, 511.5f, -147, -1331, -855.5f, 1185, -483, 1080}));
  EXPECT_EQ(Sum(y), 7087);
}

TEST(DequantizeTest, ReadsHalvesAndBrainFloats) {
  const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7c00}, brain[] = {0x3f80, 0xc000, 0x0000, 0x7f80};
  std::vector<float> a(4), b(4);
  Dequantize({GgufType::kF16, 4, 1, reinterpret_cast<const uint8_t*>(halves)}, 0, 1, a.data());
  Dequantize({GgufType::kBF16, 4, 1, reinterpret_cast<const uint8_t*>(brain)}, 0, 1, b.data());
  EXPECT_EQ(a, (std::vector<float>{1, -2, 0x1p-24f, INFINITY}));
  EXPECT_EQ(b, (std::vector<float>{1, -2, 0, INFINITY}));
}

TEST(DequantizeTest, ReadsRowsFromTheMiddle) {
  std::vector<uint8_t> rows(2 * 34, 3);
  rows[1] = rows[34 + 1] = 0x38;  // scales near a half
  rows[34 + 2] = 100;
  std::vector<float> all(64), last(32);
  const GgufTensor tensor{GgufType::kQ8_0, 32, 2, rows.data()};
  Dequantize(tensor, 0, 2, all.data());
  Dequantize(tensor, 1, 1, last.data());
  EXPECT_EQ(last, std::vector<float>(all.begin() + 32, all.end()));
  EXPECT_GT(last[0], all[0]);
}

}  // namespace
}  // namespace racewatch::classify
