#include "classify/model/label.h"

namespace racewatch::classify {
namespace {

std::vector<Label> MakeLabels() {
  std::vector<Label> labels;
  labels.push_back({"relevance", {{{kRelevanceHead, 1}}}, 1, Label::kRelevance, 0, 0});
  for (size_t i = 0; i < kThemeCount; ++i)
    labels.push_back({"theme:" + std::string(base::kThemes[i]), {{{kFirstThemeHead + i, 1}}}, 1, Label::kTheme, i, 0});
  for (size_t t = 0; t < kTargetCount; ++t) {
    const std::string name = "stance:" + std::string(base::kTargets[t]) + ":";
    const Label::Part present{PresenceHead(t), 1}, polar{PolarHead(t), 1}, neutral{PolarHead(t), -1};
    labels.push_back({name + "favor", {{present, polar, {SideHead(t), 1}}}, 3, Label::kStance, t, kFavor});
    labels.push_back({name + "against", {{present, polar, {SideHead(t), -1}}}, 3, Label::kStance, t, kAgainst});
    labels.push_back({name + "neutral", {{present, neutral}}, 2, Label::kStance, t, kNeutral});
  }
  labels.push_back({"lean:us", {{{kLeanUsHead, 1}}}, 1, Label::kLean, 0, kLeanUs});
  labels.push_back({"lean:china", {{{kLeanChinaHead, 1}}}, 1, Label::kLean, 0, kLeanChina});
  labels.push_back({"lean:neutral", {{{kLeanUsHead, -1}, {kLeanChinaHead, -1}}}, 2, Label::kLean, 0, kLeanNeutral});
  return labels;
}

constexpr size_t StanceLabel(size_t target, int side) { return 1 + kThemeCount + 3 * target + static_cast<size_t>(side); }
constexpr size_t LeanLabel(int side) { return 1 + kThemeCount + 3 * kTargetCount + static_cast<size_t>(side); }

}  // namespace

double Label::Probability(const Scores& scores) const {
  const auto at = static_cast<size_t>(side);
  switch (kind) {
    case kRelevance: return scores.relevance;
    case kTheme: return scores.themes[index];
    case kStance: return scores.stance[index][at];
    default: return scores.relevance * scores.lean[at];
  }
}

const std::vector<Label>& AllLabels() {
  static const std::vector<Label> labels = MakeLabels();
  return labels;
}

std::optional<size_t> FindLabel(std::string_view name) {
  const std::vector<Label>& labels = AllLabels();
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i].name == name) return i;
  return std::nullopt;
}

std::vector<size_t> AssignedLabels(const Decision& decision, const Scores& scores) {
  std::vector<size_t> assigned;
  if (!decision.relevant) return assigned;
  const auto side = [](int choice, const std::array<double, 3>& p) { return choice != kUnsure ? choice : p[0] >= p[1] ? 0 : 1; };
  assigned.push_back(0);
  for (size_t i = 0; i < kThemeCount; ++i)
    if (decision.themes[i]) assigned.push_back(1 + i);
  for (size_t t = 0; t < kTargetCount; ++t)
    if (decision.stance[t] != kAbsent) assigned.push_back(StanceLabel(t, side(decision.stance[t], scores.stance[t])));
  assigned.push_back(LeanLabel(side(decision.lean, scores.lean)));
  return assigned;
}

}  // namespace racewatch::classify
