#include "tests/bench/bench_articles.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/bench/labelled_articles.h"

namespace racewatch::bench {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kTitleBytes = 70;
constexpr uint64_t kAnyWordOf = 3;  // every third word is any of the texts, the others follow the one before

}  // namespace

// The words of the texts and which follow which, as often as there.
class WordChain {
 public:
  void Add(std::string_view text) {
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
      end = std::min(text.find(' ', at), text.size());
      if (end > at) words_.push_back(Number(text.substr(at, end - at)));
    }
    for (size_t i = words_.size(); i-- > added_ + 1;) after_[words_[i - 1]].push_back(words_[i]);
    added_ = words_.size();
  }
  bool empty() const { return words_.empty(); }

  // At least `bytes` bytes.
  std::string Make(size_t bytes, std::mt19937_64* random) const {
    std::string out;
    uint32_t word = 0;
    while (out.size() < bytes) {
      const std::vector<uint32_t>& next = (*random)() % kAnyWordOf == 0 || after_[word].empty() ? words_ : after_[word];
      word = next[(*random)() % next.size()];
      if (!out.empty()) out += ' ';
      out += spelt_[word];
    }
    return out;
  }

 private:
  uint32_t Number(std::string_view word) {
    const auto [at, is_new] = numbers_.try_emplace(std::string(word), static_cast<uint32_t>(spelt_.size()));
    if (is_new) spelt_.emplace_back(word), after_.emplace_back();
    return at->second;
  }

  std::vector<std::string> spelt_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<uint32_t> words_;  // of all texts, in order
  size_t added_ = 0;             // of them
  std::vector<std::vector<uint32_t>> after_;
};

base::Result<ArticleMaker> ArticleMaker::Make(uint64_t seed, size_t text_bytes) {
  constexpr int kRelevantTenths = 3;  // of the texts learnt from
  const LabelledArticles texts = MakeLabelledArticles(kRelevantTenths);
  auto relevant = std::make_shared<WordChain>(), other = std::make_shared<WordChain>();
  for (size_t i = 0; i < texts.list.size(); ++i) (i % 10 < kRelevantTenths ? relevant : other)->Add(texts.list[i].text);
  if (relevant->empty() || other->empty()) return base::NotFound("neither the labelled corpus nor gold passages");
  ArticleMaker maker(seed, text_bytes);
  maker.relevant_ = std::move(relevant);
  maker.other_ = std::move(other);
  return maker;
}

v1::Article ArticleMaker::Next(int64_t now_ms) {
  const size_t number = number_++;
  const WordChain& chain = number % 10 == 0 ? *relevant_ : *other_;
  v1::Article article;
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(number) * 0x9E3779B97F4A7C15ull,
                static_cast<unsigned long long>(number));
  article.set_id(id);
  article.set_id_rule(1);
  article.set_url("https://site" + std::to_string(number % 40) + ".example/" + id);
  article.set_canonical_url(article.url());
  article.set_title(chain.Make(kTitleBytes, &random_));
  article.set_text(chain.Make(text_bytes_, &random_));
  article.set_body_quality(v1::BODY_QUALITY_FULL);
  article.set_language("en");
  article.set_publisher("site" + std::to_string(number % 40) + ".example");
  article.set_publisher_group(number % 2 == 0 ? "us" : "china");
  article.set_feed_id("bench");
  *article.mutable_published() = TimeUtil::MillisecondsToTimestamp(now_ms - static_cast<int64_t>(random_() % (5 * 3600'000)));
  article.set_date_source(v1::DATE_SOURCE_FEED);
  article.set_date_precision(v1::DATE_PRECISION_SECOND);
  *article.mutable_fetched_at() = TimeUtil::MillisecondsToTimestamp(now_ms);
  *article.mutable_revision_at() = article.fetched_at();
  article.set_content_hash(std::string(id).substr(16));
  article.set_lane(v1::LANE_LIVE);
  return article;
}

}  // namespace racewatch::bench
