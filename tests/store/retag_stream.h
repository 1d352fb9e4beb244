// Streams for the tests of re-tagging: articles as the former model (m1) tagged them, and what the new one (m2) says of
// their texts, which differ from article to article and from revision to revision.
#pragma once

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/taxonomy.h"
#include "classify/retag_loop.h"
#include "tests/store/article_maker.h"

namespace racewatch::store {

inline constexpr char kNewModel[] = "m2";

inline bool Full() { return std::getenv("RACEWATCH_FULL") != nullptr; }
// Of the stream that retag_crash_test and its helper share.
inline StreamShape CrashShape() { return {.ids = Full() ? 800 : 150, .records = Full() ? 4500 : 450}; }

// A pure function of the text, as a model is.
inline void NewTags(const classify::DocumentView& document, classify::Scratch&, v1::Tags* tags) {
  std::mt19937_64 dice(std::hash<std::string_view>()(document.text));
  tags->Clear();
  tags->set_model_version(kNewModel);
  tags->set_taxonomy_version("1");
  tags->set_language("en");
  tags->mutable_relevance()->set_label(dice() % 4 != 0);
  if (!tags->relevance().label()) return;
  for (const auto theme : base::kThemes)
    if (dice() % 5 == 0) tags->add_themes()->set_id(std::string(theme));
  for (const auto target : base::kTargets) {
    if (dice() % 3 != 0) continue;
    auto* stance = tags->add_stance();
    stance->set_target(std::string(target));
    stance->set_position(std::string(base::kPositions[dice() % base::kPositions.size()]));
  }
  tags->mutable_lean()->set_label(std::string(base::kLeans[dice() % base::kLeans.size()]));
}

inline std::vector<v1::TaggedArticle> OldStream(uint64_t seed, const StreamShape& shape = {}) {
  auto stream = RandomStream(seed, shape);
  for (auto& one : stream) {
    v1::Article* article = one.mutable_article();
    article->set_text("What happened to " + article->id() + " was told as " + article->content_hash() + " by " + article->publisher() + ".");
  }
  return stream;
}

// The same stream from a tagger that had the new model from the start.
inline std::vector<v1::TaggedArticle> AsNew(std::vector<v1::TaggedArticle> stream) {
  classify::Scratch scratch;
  for (auto& one : stream) NewTags({one.article().title(), one.article().text(), one.article().language()}, scratch, one.mutable_tags());
  return stream;
}

}  // namespace racewatch::store
