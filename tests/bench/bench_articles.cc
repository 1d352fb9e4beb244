#include "tests/bench/bench_articles.h"

#include <google/protobuf/util/time_util.h>

#include <cstdio>

#include "cli/demo_week.h"

namespace racewatch::bench {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kArticleBytes = 4800;

void AppendSentences(const std::string& paragraph, std::vector<std::string>* out) {
  for (size_t from = 0; from < paragraph.size();) {
    const size_t stop = paragraph.find(". ", from);
    const size_t end = stop == std::string::npos ? paragraph.size() : stop + 1;
    out->push_back(paragraph.substr(from, end - from));
    from = end + 1;
  }
}

}  // namespace

base::Result<ArticleMaker> ArticleMaker::Make(uint64_t seed) {
  RW_ASSIGN_OR_RETURN(const cli::DemoWeek week, cli::LoadDemoWeek(cli::DemoDataDir()));
  ArticleMaker maker(seed);
  for (const auto& article : week.articles) {
    if (week.feeds[article.feed].language.substr(0, 2) != "en") continue;
    const auto& version = article.versions.front();
    for (const std::string& paragraph : version.paragraphs)
      AppendSentences(paragraph, version.labels.relevant ? &maker.relevant_ : &maker.other_);
  }
  return maker;
}

const std::string& ArticleMaker::Pick(const std::vector<std::string>& sentences) {
  return sentences[random_() % sentences.size()];
}

v1::Article ArticleMaker::Next(int64_t now_ms) {
  const size_t number = number_++;
  const auto& pool = number % 5 == 0 ? relevant_ : other_;
  v1::Article article;
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(number) * 0x9E3779B97F4A7C15ull,
                static_cast<unsigned long long>(number));
  article.set_id(id);
  article.set_id_rule(1);
  article.set_url("https://site" + std::to_string(number % 40) + ".example/" + id);
  article.set_canonical_url(article.url());
  article.set_title(Pick(pool).substr(0, 120));
  std::string text;
  while (text.size() < kArticleBytes) text += Pick(pool) + (random_() % 4 == 0 ? "\n\n" : " ");
  article.set_text(text);
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
