// Articles for the end-to-end benches: about 4.8 KB each, made of sentences of the demo week in random order, one in
// five of relevant ones; ids, times and publishers differ. The same seed and numbers give the same articles. One thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::bench {

class ArticleMaker {
 public:
  // Reads the demo week.
  static base::Result<ArticleMaker> Make(uint64_t seed);

  v1::Article Next(int64_t now_ms);

 private:
  explicit ArticleMaker(uint64_t seed) : random_(seed) {}
  const std::string& Pick(const std::vector<std::string>& sentences);

  std::mt19937_64 random_;
  size_t number_ = 0;
  std::vector<std::string> relevant_, other_;  // sentences of English articles
};

}  // namespace racewatch::bench
