#include "classify/answer_labels.h"

#include "racewatch/v1/tags.pb.h"

namespace racewatch::classify {
namespace {

constexpr size_t kFirstTheme = 1;
constexpr size_t kFirstStance = kFirstTheme + base::kThemes.size();
constexpr size_t kFirstLean = kFirstStance + base::kTargets.size() * base::kPositions.size();

std::array<std::string, kAnswerLabels> MakeNames() {
  std::array<std::string, kAnswerLabels> names;
  size_t next = 0;
  names[next++] = "relevance";
  for (const auto theme : base::kThemes) names[next++] = "theme:" + std::string(theme);
  for (const auto target : base::kTargets)
    for (const auto position : base::kPositions) names[next++] = "stance:" + std::string(target) + ":" + std::string(position);
  for (const auto lean : base::kLeans) names[next++] = "lean:" + std::string(lean);
  return names;
}

}  // namespace

const std::array<std::string, kAnswerLabels>& AnswerLabelNames() {
  static const std::array<std::string, kAnswerLabels> names = MakeNames();
  return names;
}

AnswerLabels LabelsOf(const v1::Tags& tags) {
  AnswerLabels labels;
  if (!tags.relevance().label()) return labels;
  labels.set(0);
  for (const v1::ThemeTag& theme : tags.themes())
    if (const auto i = base::IndexOf(base::kThemes, theme.id())) labels.set(kFirstTheme + *i);
  for (const v1::StanceTag& stance : tags.stance()) {
    const auto target = base::IndexOf(base::kTargets, stance.target());
    const auto position = base::IndexOf(base::kPositions, stance.position());
    if (target && position) labels.set(kFirstStance + *target * base::kPositions.size() + *position);
  }
  if (const auto i = base::IndexOf(base::kLeans, tags.lean().label())) labels.set(kFirstLean + *i);
  return labels;
}

}  // namespace racewatch::classify
