// How improbable the share of a part in a whole is against the shares of earlier windows. Shares of news vary more than
// a binomial says, so the counts are taken as beta-binomial with an intra-class correlation by moments from the earlier
// windows (Williams 1982, "Extra-binomial variation in logistic linear models"), shrunk towards a prior; the uncertainty
// of the usual share is added to the variance. The score is the normal quantile of the exact beta-binomial tail, above
// zero for a rise and below for a fall. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace racewatch::store {

inline constexpr size_t kShareWindowsMin = 7;  // fewer earlier windows say nothing

struct ShareCount {
  uint32_t part = 0;
  uint32_t whole = 0;
};

struct ShareScore {
  bool ready = false;  // enough earlier windows with anything in them
  double usual = 0;    // share of the earlier windows together
  double score = 0;    // signed
};

ShareScore ScoreShare(const std::vector<ShareCount>& earlier, ShareCount now);

}  // namespace racewatch::store
