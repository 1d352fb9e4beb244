#include "classify/model/heads.h"

namespace racewatch::classify {

std::string HeadName(size_t head) {
  if (head == kRelevanceHead) return "relevance";
  if (head < kFirstStanceHead) return "theme:" + std::string(base::kThemes[head - kFirstThemeHead]);
  if (head == kLeanUsHead) return "lean:us";
  if (head == kLeanChinaHead) return "lean:china";
  static constexpr std::array<std::string_view, 3> kSteps = {"presence", "polar", "side"};
  const size_t step = head - kFirstStanceHead;
  return "stance:" + std::string(base::kTargets[step / 3]) + ":" + std::string(kSteps[step % 3]);
}

}  // namespace racewatch::classify
