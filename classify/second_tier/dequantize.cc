// The block formats of ggml (ggml/src/ggml-quants.c describes them): 256 numbers share one or two 16-bit scales, groups of
// 16 or 32 of them a finer one.
#include <bit>
#include <cstring>

#include "classify/second_tier/gguf.h"

namespace racewatch::classify {
namespace {

float Half(const uint8_t* p) {
  uint16_t h = 0;
  std::memcpy(&h, p, 2);
  const uint32_t sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31, fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -small : small;
}

float BrainFloat(const uint8_t* p) {
  uint16_t b = 0;
  std::memcpy(&b, p, 2);
  return std::bit_cast<float>(uint32_t{b} << 16);
}

void Q8Block(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

// Twelve bytes hold eight 6-bit scales and eight 6-bit minima: the first four of each in the low bits of bytes 0 to 7, the
// others in bytes 8 to 11 with their two high bits on top of bytes 0 to 7.
void Q4Scales(const uint8_t* packed, int group, float* scale, float* minimum) {
  if (group < 4) {
    *scale = static_cast<float>(packed[group] & 63);
    *minimum = static_cast<float>(packed[group + 4] & 63);
  } else {
    *scale = static_cast<float>((packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4);
    *minimum = static_cast<float>((packed[group + 4] >> 4) | (packed[group] >> 6) << 4);
  }
}

void Q4Block(const uint8_t* block, float* out) {
  const float d = Half(block), dmin = Half(block + 2);
  const uint8_t* quants = block + 16;
  for (int group = 0; group < 8; ++group) {
    float scale = 0, minimum = 0;
    Q4Scales(block + 4, group, &scale, &minimum);
    scale *= d, minimum *= dmin;
    const int shift = group % 2 * 4;
    for (int i = 0; i < 32; ++i) out[group * 32 + i] = scale * static_cast<float>((quants[group / 2 * 32 + i] >> shift) & 15) - minimum;
  }
}

void Q6Block(const uint8_t* block, float* out) {
  const uint8_t *low = block, *high = block + 128;
  const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
  const float d = Half(block + 208);
  for (int half = 0; half < 2; ++half, low += 64, high += 32, scales += 8, out += 128)
    for (int quarter = 0; quarter < 4; ++quarter)
      for (int i = 0; i < 32; ++i) {
        const int four = (low[quarter % 2 * 32 + i] >> (quarter / 2 * 4)) & 15, two = (high[i] >> (2 * quarter)) & 3;
        out[quarter * 32 + i] = d * static_cast<float>(scales[quarter * 2 + i / 16]) * static_cast<float>((four | two << 4) - 32);
      }
}

template <uint64_t kElements, uint64_t kBytes, void (*kBlock)(const uint8_t*, float*)>
void Blocks(const GgufTensor& tensor, uint64_t first, uint64_t rows, float* out) {
  const uint64_t per_row = tensor.columns / kElements;
  const uint8_t* from = tensor.data + first * per_row * kBytes;
  for (uint64_t i = 0; i < rows * per_row; ++i) kBlock(from + i * kBytes, out + i * kElements);
}

}  // namespace

void Dequantize(const GgufTensor& tensor, uint64_t first, uint64_t rows, float* out) {
  const uint64_t count = rows * tensor.columns, skip = first * tensor.columns;
  switch (tensor.type) {
    case GgufType::kF32: std::memcpy(out, tensor.data + 4 * skip, 4 * count); return;
    case GgufType::kF16:
      for (uint64_t i = 0; i < count; ++i) out[i] = Half(tensor.data + 2 * (skip + i));
      return;
    case GgufType::kBF16:
      for (uint64_t i = 0; i < count; ++i) out[i] = BrainFloat(tensor.data + 2 * (skip + i));
      return;
    case GgufType::kQ8_0: return Blocks<32, 34, Q8Block>(tensor, first, rows, out);
    case GgufType::kQ4_K: return Blocks<256, 144, Q4Block>(tensor, first, rows, out);
    case GgufType::kQ6_K: return Blocks<256, 210, Q6Block>(tensor, first, rows, out);
  }
}

}  // namespace racewatch::classify
