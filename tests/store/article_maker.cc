#include "tests/store/article_maker.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

#include "base/taxonomy.h"

namespace racewatch::store {
namespace {

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  int Below(int n) { return static_cast<int>(engine_() % static_cast<uint64_t>(n)); }
  bool Chance(double p) { return static_cast<double>(engine_() % 1'000'000) < p * 1e6; }
  template <typename Set>
  std::string Pick(const Set& set) {
    return std::string(set[engine_() % set.size()]);
  }

 private:
  std::mt19937_64 engine_;
};

void RandomTags(Dice* dice, v1::Tags* tags) {
  tags->set_model_version("m1");
  tags->set_taxonomy_version("1");
  tags->mutable_relevance()->set_label(dice->Chance(0.7));
  if (!tags->relevance().label()) return;
  for (int i = dice->Below(4); i > 0; --i) tags->add_themes()->set_id(dice->Pick(base::kThemes));
  for (const auto target : base::kTargets) {
    if (!dice->Chance(0.3)) continue;
    auto* stance = tags->add_stance();
    stance->set_target(std::string(target));
    stance->set_position(dice->Pick(base::kPositions));
  }
  tags->mutable_lean()->set_label(dice->Pick(base::kLeans));
}

v1::TaggedArticle RandomArticle(Dice* dice, int n, const StreamShape& shape) {
  v1::TaggedArticle out = MakeArticle(n);
  v1::Article* article = out.mutable_article();
  const base::UnixMs fetched = kTestNow - dice->Below(shape.days * 24 * 60) * 60'000LL;
  SetTime(article->mutable_fetched_at(), fetched);
  SetTime(article->mutable_published(), fetched - dice->Below(30 * 60) * 60'000LL);
  if (dice->Chance(shape.late)) SetTime(article->mutable_published(), fetched - 120 * 86'400'000LL);
  if (dice->Chance(0.05)) SetTime(article->mutable_published(), fetched + 40 * 86'400'000LL);
  article->set_date_precision(dice->Chance(0.2) ? v1::DATE_PRECISION_DAY : v1::DATE_PRECISION_SECOND);
  if (dice->Chance(0.1)) article->set_date_source(v1::DATE_SOURCE_NONE);
  if (dice->Chance(0.05)) article->clear_published();
  article->set_publisher("p" + std::to_string(dice->Below(shape.publishers)) + ".example");
  article->set_publisher_group(dice->Pick(base::kPublisherGroups));
  const std::vector<std::string> languages{"en", "zh", "de", "nl", "und"};
  article->set_language(dice->Pick(languages));
  article->set_lane(dice->Chance(0.3) ? v1::LANE_BACKFILL : v1::LANE_LIVE);
  // Few distinct ranks, so that stale, equal and greater ones all occur; the hash makes equal rank mean equal content.
  article->set_body_quality(static_cast<v1::BodyQuality>(1 + dice->Below(4)));
  SetTime(article->mutable_revision_at(), fetched + dice->Below(3) * 60'000LL);
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx",
                (static_cast<unsigned long long>(dice->Below(1 << 30)) << 30) | static_cast<unsigned>(dice->Below(1 << 30)));
  article->set_content_hash(hash);
  // Texts follow the hash: equal content is equal text.
  if (hash[15] < '8') article->mutable_text()->append(" Huawei fears export controls.");
  else if (hash[15] < 'c') article->mutable_text()->append(" Nvidia does not.");
  out.mutable_tags()->Clear();
  RandomTags(dice, out.mutable_tags());
  return out;
}

}  // namespace

std::string TestId(uint64_t n) {
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(n * 0x9e3779b97f4a7c15ull),
                static_cast<unsigned long long>(n));
  return id;
}

void SetTime(google::protobuf::Timestamp* field, base::UnixMs ms) {
  field->set_seconds(ms / 1000);
  field->set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

v1::TaggedArticle MakeArticle(uint64_t n, base::UnixMs published) {
  v1::TaggedArticle out;
  v1::Article* article = out.mutable_article();
  article->set_id(TestId(n));
  article->set_url("https://paper.example/story/" + std::to_string(n) + "?from=feed");
  article->set_canonical_url("https://paper.example/story/" + std::to_string(n));
  article->set_title("Chip rules number " + std::to_string(n));
  article->set_text("Washington tightens the rules for accelerators. Reason number " + std::to_string(n) + ".");
  article->set_body_quality(v1::BODY_QUALITY_FULL);
  article->set_language("en");
  article->set_publisher("paper.example");
  article->set_publisher_group("us");
  article->set_feed_id("https://paper.example/feed");
  SetTime(article->mutable_published(), published);
  article->set_date_source(v1::DATE_SOURCE_FEED);
  article->set_date_precision(v1::DATE_PRECISION_SECOND);
  SetTime(article->mutable_fetched_at(), published + 60'000);
  SetTime(article->mutable_revision_at(), published + 60'000);
  article->set_content_hash("00000000000000aa");
  article->set_lane(v1::LANE_LIVE);
  v1::Tags* tags = out.mutable_tags();
  tags->set_model_version("m1");
  tags->set_taxonomy_version("1");
  tags->set_language("en");
  tags->mutable_relevance()->set_label(true);
  tags->mutable_relevance()->set_score(0.9);
  tags->add_themes()->set_id("chips_compute");
  auto* stance = tags->add_stance();
  stance->set_target("export_controls");
  stance->set_position("favor");
  tags->mutable_lean()->set_label("us");
  SetTime(out.mutable_tagged_at(), published + 61'000);
  return out;
}

base::Record ToRecord(const v1::TaggedArticle& article, int32_t partition, int64_t offset) {
  base::Record record;
  record.topic = "racewatch.tagged.v1";
  record.partition = partition;
  record.offset = offset;
  record.timestamp_ms = kTestNow;
  record.key = article.article().id();
  record.value = article.SerializeAsString();
  return record;
}

std::vector<v1::TaggedArticle> RandomStream(uint64_t seed, const StreamShape& shape) {
  Dice dice(seed);
  std::vector<v1::TaggedArticle> out;
  for (int i = 0; i < shape.records; ++i) {
    if (!out.empty() && dice.Chance(0.2)) {
      v1::TaggedArticle repeat = out[static_cast<size_t>(dice.Below(static_cast<int>(out.size())))];
      if (dice.Chance(0.5)) repeat.mutable_article()->set_lane(v1::LANE_LIVE);
      out.push_back(std::move(repeat));
      continue;
    }
    out.push_back(RandomArticle(&dice, dice.Below(shape.ids), shape));
  }
  return out;
}

std::vector<v1::TaggedArticle> CrashStream(uint64_t seed, int records, base::UnixMs now) {
  auto stream = RandomStream(seed, {.ids = records / 5, .records = records, .late = 0});
  const base::UnixMs step = 4 * 3'600'000 / records;
  std::map<std::string, base::UnixMs> first;
  for (size_t i = 0; i < stream.size(); ++i) {
    v1::Article* article = stream[i].mutable_article();
    const base::UnixMs fetched = now - static_cast<base::UnixMs>(stream.size() - i) * step;
    const auto [at, is_new] = first.try_emplace(article->id(), fetched);
    SetTime(article->mutable_fetched_at(), fetched);
    SetTime(article->mutable_published(), at->second - 60'000);
    article->set_date_source(v1::DATE_SOURCE_FEED);
    article->set_date_precision(v1::DATE_PRECISION_SECOND);
    article->set_lane(v1::LANE_LIVE);
    v1::Tags* tags = stream[i].mutable_tags();
    auto* themes = tags->mutable_themes();
    themes->erase(std::remove_if(themes->begin(), themes->end(), [](const auto& theme) { return theme.id() == "chips_compute"; }), themes->end());
    if (std::hash<std::string>()(article->id()) % 4 != 0) continue;
    tags->mutable_relevance()->set_label(true);
    tags->add_themes()->set_id("chips_compute");
    if (!tags->has_lean()) tags->mutable_lean()->set_label("us");
  }
  return stream;
}

}  // namespace racewatch::store
