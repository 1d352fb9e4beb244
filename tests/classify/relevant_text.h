// A short text that every model of the project finds relevant.
#pragma once

namespace racewatch::classify {

inline constexpr char kTitle[] = "Washington tightens export controls on AI chips bound for China";
inline constexpr char kText[] =
    "The United States will tighten export controls on advanced AI chips sold to China. Officials said the rules must "
    "close loopholes that let Chinese firms buy GPUs through third countries.";

}  // namespace racewatch::classify
