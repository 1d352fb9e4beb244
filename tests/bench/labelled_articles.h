// English articles of 6 KB for the classifier's benches: real texts of the labelled corpus beside the project, a short
// one continued with itself; where the corpus is not there, gold passages take their place (`source` says which).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace racewatch::bench {

inline constexpr size_t kArticleBytes = 6000;
inline constexpr size_t kArticles = 1000;

struct LabelledArticle {
  std::string title, text;
};

struct LabelledArticles {
  std::vector<LabelledArticle> list;  // kArticles, or empty when neither source can be read
  const char* source;
};

// `relevant_tenths` of ten are relevant.
LabelledArticles MakeLabelledArticles(int relevant_tenths);

}  // namespace racewatch::bench
