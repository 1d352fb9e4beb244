// Articles for the end-to-end benches, one in ten of them relevant; ids, times and publishers differ. Their texts are made by
// Markov chains over the words of real English articles (labelled_articles.h): words and pairs of words are about as common
// as there, phrases of five mostly occur once, as in articles that were written apart. The same seed and numbers give the
// same articles. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "base/status.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::bench {

class WordChain;

class ArticleMaker {
 public:
  static base::Result<ArticleMaker> Make(uint64_t seed, size_t text_bytes = 4800);

  v1::Article Next(int64_t now_ms);

 private:
  ArticleMaker(uint64_t seed, size_t text_bytes) : text_bytes_(text_bytes), random_(seed) {}

  size_t text_bytes_;
  std::mt19937_64 random_;
  size_t number_ = 0;
  std::shared_ptr<const WordChain> relevant_, other_;
};

}  // namespace racewatch::bench
