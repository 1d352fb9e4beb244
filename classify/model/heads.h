// The outputs of the model: one linear head each, in the order of a weight row. A stance is decided in three
// steps (does the text speak to the target, does it take a side, which); lean has one head for each country,
// since what makes a text favour the one is not what makes it favour the other. Constants only.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/taxonomy.h"

namespace racewatch::classify {

inline constexpr size_t kThemeCount = base::kThemes.size();
inline constexpr size_t kTargetCount = base::kTargets.size();

inline constexpr size_t kRelevanceHead = 0;
inline constexpr size_t kFirstThemeHead = 1;
inline constexpr size_t kFirstStanceHead = kFirstThemeHead + kThemeCount;
inline constexpr size_t kLeanUsHead = kFirstStanceHead + 3 * kTargetCount;  // us, not china or neutral
inline constexpr size_t kLeanChinaHead = kLeanUsHead + 1;
inline constexpr size_t kHeads = kLeanChinaHead + 1;
inline constexpr size_t kRowBytes = 64;
static_assert(kHeads <= kRowBytes, "a row of weights is one cache line");

constexpr size_t PresenceHead(size_t target) { return kFirstStanceHead + 3 * target; }
constexpr size_t PolarHead(size_t target) { return PresenceHead(target) + 1; }  // favor or against, not neutral
constexpr size_t SideHead(size_t target) { return PresenceHead(target) + 2; }   // favor, not against

// "theme:markets", "stance:china_parity:side", "lean:polar": the names stored in the model file.
std::string HeadName(size_t head);

// Positions as indices of Scores::stance and of a labelled document.
enum Position : int { kFavor = 0, kAgainst = 1, kNeutral = 2, kAbsent = 3 };
enum Lean : int { kLeanUs = 0, kLeanChina = 1, kLeanNeutral = 2 };

}  // namespace racewatch::classify
