// The closed sets of label names (docs/taxonomy in the README, "what you can ask"): used by the
// classifier to name its outputs and by the store to refuse labels it does not know. Constants, no threads.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace racewatch::base {

inline constexpr std::string_view kTaxonomyVersion = "1";

inline constexpr std::array<std::string_view, 19> kThemes = {
    "model_capability", "cost_efficiency", "open_source", "chips_compute", "export_controls",
    "markets", "investment_infrastructure", "geopolitics", "national_security", "data_privacy",
    "censorship", "regulation", "governance_cooperation", "ecosystem_adoption", "ip_distillation",
    "third_countries", "energy_environment", "talent_society", "safety_ethics"};

inline constexpr std::array<std::string_view, 5> kTargets = {
    "china_parity", "chinese_ai_adoption", "export_controls", "us_china_cooperation", "ai_regulation"};

// `unsure` is an answer of the classifier, not a class of the taxonomy.
inline constexpr std::array<std::string_view, 4> kPositions = {"favor", "against", "neutral", "unsure"};
inline constexpr std::array<std::string_view, 4> kLeans = {"us", "china", "neutral", "unsure"};

// Languages that series are sliced by; anything else counts as "other".
inline constexpr std::array<std::string_view, 11> kLanguages = {
    "en", "zh", "de", "fr", "es", "ja", "ru", "pt", "it", "ko", "other"};
inline constexpr std::array<std::string_view, 4> kPublisherGroups = {"us", "china", "europe", "other"};

// Index of `name` in one of the arrays above, or nullopt.
template <size_t N>
constexpr std::optional<size_t> IndexOf(const std::array<std::string_view, N>& set, std::string_view name) {
  for (size_t i = 0; i < N; ++i)
    if (set[i] == name) return i;
  return std::nullopt;
}

// The slice a language counts in: itself if listed, else "other".
constexpr std::string_view LanguageSlice(std::string_view language) {
  return IndexOf(kLanguages, language) ? language : std::string_view("other");
}

}  // namespace racewatch::base
