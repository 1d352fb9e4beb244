// Stories through replays: the recorded order gives the same digest again; shuffled, delayed and doubled replay gives
// nearly the same stories, by pair F1 against the ordered one.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "store/applier.h"
#include "store/digest.h"
#include "store/story_step.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"

namespace racewatch::store {
namespace {

constexpr int kStories = 250;

std::string Word(std::mt19937_64* dice) {
  static const char* const kSyllables[] = {"ka", "ri", "to", "men", "sul", "da", "vo", "ne", "pi", "gar", "lo", "tes", "mu", "ran", "shi", "bo"};
  std::string word;
  for (int i = 2 + static_cast<int>((*dice)() % 2); i > 0; --i) word += kSyllables[(*dice)() % 16];
  return word;
}

std::vector<std::string> Text(std::mt19937_64* dice) {
  static const char* const kSmall[] = {"the", "of", "in", "and", "to", "on", "that", "for"};
  std::vector<std::string> words;
  for (int i = 0; i < 180; ++i) {
    words.push_back(i % 3 == 1 ? kSmall[(*dice)() % 8] : Word(dice));
    if (i % 11 == 0) words.back()[0] = static_cast<char>(words.back()[0] - 'a' + 'A');
    if (i % 23 == 7) words.back() = std::to_string((*dice)() % 90'000);
  }
  return words;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += word + " ";
  return out;
}

// Stories of one to eight copies by different publishers, some with a few words changed or the end cut.
std::vector<v1::TaggedArticle> Copies(uint64_t seed) {
  std::mt19937_64 dice(seed);
  std::vector<v1::TaggedArticle> out;
  for (int story = 0; story < kStories; ++story) {
    const auto words = Text(&dice);
    const int copies = 1 + static_cast<int>(dice() % 8);
    for (int copy = 0; copy < copies; ++copy) {
      auto mine = words;
      for (int change = static_cast<int>(dice() % 4); change > 0; --change) mine[dice() % mine.size()] = Word(&dice);
      if (dice() % 5 == 0) mine.resize(mine.size() * 4 / 5);
      auto article = MakeArticle(out.size() + 1, kTestNow - static_cast<base::UnixMs>(kStories - story) * 60'000 + copy * 1000);
      article.mutable_article()->set_title(words[0] + " " + words[2] + " " + words[3] + " " + words[5] + " " + words[6]);
      article.mutable_article()->set_text(Join(mine));
      article.mutable_article()->set_publisher("p" + std::to_string(copy) + ".example");
      out.push_back(std::move(article));
    }
  }
  return out;
}

struct Told {
  std::string state, stories;
  std::map<std::string, std::string> story_of;
};

Told Tell(const std::vector<v1::TaggedArticle>& stream) {
  FakeEngine engine;
  Applier applier(engine, {});
  StoryStep stories(engine, 100'000);
  EXPECT_TRUE(applier.Reload().ok());
  EXPECT_TRUE(stories.Restore().ok());
  const Claim leader = engine.TakeClaim("", {"leader", 0}).value();
  for (size_t from = 0; from < stream.size(); from += 200) {
    std::vector<base::Record> records;
    for (size_t i = from; i < std::min(stream.size(), from + 200); ++i) records.push_back(ToRecord(stream[i], 0, static_cast<int64_t>(i)));
    Batch batch;
    EXPECT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
    EXPECT_TRUE(engine.Commit(batch).ok());
    while (stories.Run(200, leader).value() > 0) {
    }
  }
  Told out{StateDigest(engine).value(), StoryDigest(engine).value(), {}};
  EXPECT_TRUE(engine.Scan(Table::kArticle, "", "", false, [&](std::string_view key, std::string_view value) {
    out.story_of[std::string(key)] = ArticleRow::Decode(value)->story;
    return true;
  }).ok());
  return out;
}

std::set<std::pair<std::string, std::string>> Pairs(const Told& told) {
  std::map<std::string, std::vector<std::string>> members;
  for (const auto& [article, story] : told.story_of) members[story].push_back(article);
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& [story, ids] : members)
    for (size_t i = 0; i < ids.size(); ++i)
      for (size_t k = i + 1; k < ids.size(); ++k) pairs.emplace(ids[i], ids[k]);
  return pairs;
}

double PairF1(const Told& wanted, const Told& got) {
  const auto a = Pairs(wanted), b = Pairs(got);
  double both = 0;
  for (const auto& pair : b) both += a.contains(pair);
  return 2 * both / static_cast<double>(a.size() + b.size());
}

TEST(ReplayTest, TheRecordedOrderTellsTheSameStoriesAgain) {
  const auto stream = Copies(1);
  const Told first = Tell(stream), again = Tell(stream);
  EXPECT_EQ(again.state, first.state);
  EXPECT_EQ(again.stories, first.stories);
  EXPECT_GT(Pairs(first).size(), 1000u);
}

TEST(ReplayTest, ShuffledDelayedAndDoubledReplayCountsTheSameAndTellsNearlyTheSameStories) {
  const auto stream = Copies(2);
  const Told ordered = Tell(stream);
  std::mt19937_64 dice(3);
  auto shuffled = stream;
  std::shuffle(shuffled.begin(), shuffled.end(), dice);
  // Every tenth comes after everything else.
  auto delayed = stream;
  std::stable_partition(delayed.begin(), delayed.end(), [n = 0](const auto&) mutable { return ++n % 10 != 0; });
  auto doubled = shuffled;
  doubled.insert(doubled.end(), stream.begin(), stream.end());
  for (const auto& [name, replay] : {std::pair("shuffled", shuffled), {"delayed", delayed}, {"doubled", doubled}}) {
    const Told told = Tell(replay);
    EXPECT_EQ(told.state, ordered.state) << name;
    const double f1 = PairF1(ordered, told);
    EXPECT_GE(f1, 0.99) << name;
    RecordProperty(name, std::to_string(f1));
  }
}

}  // namespace
}  // namespace racewatch::store
