#include "tests/bench/labelled_articles.h"

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
    const classify::LabelledDocument& d = *from[i * 7919 % from.size()];
    articles.list[i].title = d.title;
    while (articles.list[i].text.size() < kArticleBytes) articles.list[i].text += d.text + "\n";
    articles.list[i].text.resize(kArticleBytes);
  }
  return articles;
}

}  // namespace racewatch::bench
