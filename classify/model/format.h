// The model file: a header, then sections of plain little-endian arrays that are used in place after mmap.
// Sections are aligned to 64 bytes. The checksum (XXH64) covers everything after the header, the header
// carries its own; so a file that is cut, lengthened or changed anywhere is refused.
#pragma once

#include <cstddef>
#include <cstdint>

namespace racewatch::classify {

inline constexpr char kModelMagic[8] = {'R', 'A', 'C', 'E', 'W', 'M', 'D', 'L'};
inline constexpr uint32_t kModelFormat = 2;
inline constexpr size_t kSectionAlign = 64;

enum Section : uint32_t {
  kMeta,         // JSON: version, taxonomy, labels, lexicon classes, calibration, thresholds, card
  kFold,         // FoldPair[]
  kLexicon,      // LexiconEntry[]
  kGateKeys,     // uint64_t[2^n], 0 = empty slot
  kGateRows,     // GateRow[2^n], beside the keys
  kKeys,         // uint64_t[2^n]
  kRowNumbers,   // uint32_t[2^n], beside the keys
  kRowScales,    // float[rows]
  kRowKinds,     // uint8_t[rows], FeatureKind
  kWeights,      // int8_t[rows][64]
  kNameOffsets,  // uint32_t[rows + 1]
  kNames,        // char[]
  kSectionCount,
};

struct GateRow {
  float scale;
  float weight;
};

struct SectionEntry {
  uint64_t offset;
  uint64_t length;
};

struct ModelHeader {
  char magic[8];
  uint32_t format;
  uint32_t sections;
  uint64_t file_bytes;
  uint64_t body_checksum;
  SectionEntry section[kSectionCount];
  uint64_t header_checksum;  // of the bytes before it
};

}  // namespace racewatch::classify
