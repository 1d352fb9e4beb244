#include "tests/bench/labelled_articles.h"

#include <utility>

#include "classify/model/corpus.h"

namespace racewatch::bench {

LabelledArticles MakeLabelledArticles(int relevant_tenths) {
  LabelledArticles articles{{}, "labelled corpus"};
  std::vector<classify::LabelledDocument> documents;
  if (!classify::ReadLabelled(RACEWATCH_SOURCE_DIR "/../shared/corpus/labelled.jsonl.gz", false, &documents).ok()) {
    articles.source = "gold passages";
    if (!classify::ReadLabelled(RACEWATCH_SOURCE_DIR "/tests/testdata/gold.jsonl", true, &documents).ok()) return articles;
  }
  std::vector<const classify::LabelledDocument*> parts[2];
  for (const classify::LabelledDocument& d : documents)
    if (d.language == "en" && d.relevant != classify::kMasked) parts[d.relevant].push_back(&d);
  articles.list.resize(kArticles);
  for (size_t i = 0; i < kArticles; ++i) {
    const auto& from = parts[static_cast<int>(i % 10) < relevant_tenths];
    classify::LabelledDocument d = *from[i * 7919 % from.size()];
    const std::string once = d.text + "\n";
    while (d.text.size() <= kArticleBytes) d.text += once;
    classify::Shorten(kArticleBytes, &d);
    articles.list[i] = {std::move(d.title), std::move(d.text)};
  }
  return articles;
}

}  // namespace racewatch::bench
