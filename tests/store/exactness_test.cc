// Random streams of sightings against the naive recount, through crashes, replays, shuffles and repeats:
// every count of every window equal to the integer, and one digest whatever the order.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "racewatch/v1/config.pb.h"
#include "store/applier.h"
#include "store/digest.h"
#include "store/rocksdb_engine.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/naive_recount.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

std::vector<base::Record> ToLog(const std::vector<v1::TaggedArticle>& stream) {
  std::vector<base::Record> log;
  for (const auto& article : stream) log.push_back(ToRecord(article, 0, static_cast<int64_t>(log.size())));
  return log;
}

// One life of a store process: claim, resume, apply until the log ends or a commit fails. True: the end.
bool RunOnce(Engine* engine, const std::vector<base::Record>& log, std::mt19937_64* dice, FakeEngine* faults) {
  Applier applier(*engine, {});
  v1::StoreConfig config;
  AddNaiveQueries(&config);
  applier.SetQueries(RegisterQueries(*engine, config).value());
  EXPECT_TRUE(applier.Reload().ok());
  const Claim claim = engine->TakeClaim("c", kWhere).value();
  size_t next = claim.next_offset < 0 ? 0 : static_cast<size_t>(claim.next_offset);
  while (next < log.size()) {
    const size_t end = std::min(log.size(), next + 1 + (*dice)() % 20);
    Batch batch;
    const auto applied = applier.Apply({log.begin() + static_cast<long>(next), log.begin() + static_cast<long>(end)},
                                       kTestNow, &batch);
    EXPECT_TRUE(applied.ok()) << applied.status().ToString();
    batch.Advance(claim, static_cast<int64_t>(end));
    if (faults != nullptr && (*dice)() % 4 == 0)
      faults->FailNext(static_cast<FakeEngine::Fault>(1 + (*dice)() % 3));
    const base::Status status = engine->Commit(batch);
    if (!status.ok() && faults != nullptr) {
      if (!status.retryable()) return false;
      // As the loop does: the answer is lost, so read and decide again.
      EXPECT_TRUE(applier.Reload().ok());
      continue;
    }
    EXPECT_TRUE(status.ok()) << status.ToString();
    next = end;
  }
  return true;
}

void Replay(Engine* engine, const std::vector<v1::TaggedArticle>& stream, uint64_t seed, FakeEngine* faults = nullptr) {
  std::mt19937_64 dice(seed);
  const auto log = ToLog(stream);
  while (!RunOnce(engine, log, &dice, faults)) {
  }
}

void ExpectEqual(const NaiveCounts& expected, const NaiveCounts& actual) {
  for (const auto& [name, n] : expected) {
    const auto at = actual.find(name);
    ASSERT_NE(at, actual.end()) << name << " is missing, expected " << n;
    ASSERT_EQ(at->second, n) << name;
  }
  for (const auto& [name, n] : actual) ASSERT_TRUE(expected.contains(name)) << name << " = " << n << " is not expected";
}

class ExactnessTest : public testing::TestWithParam<int> {
 protected:
  const uint64_t seed_ = static_cast<uint64_t>(GetParam());
  const std::vector<v1::TaggedArticle> stream_ = RandomStream(seed_);
};
INSTANTIATE_TEST_SUITE_P(Seeds, ExactnessTest, testing::Range(1, 9));

TEST_P(ExactnessTest, CountsEqualTheRecountThroughCrashesBetweenAnyTwoSteps) {
  FakeEngine engine;
  Replay(&engine, stream_, seed_, &engine);
  ExpectEqual(Recount(stream_, 90, NaiveQueries()), ReadCounts(engine));
}

TEST_P(ExactnessTest, RocksDbCountsEqualTheRecount) {
  TempDir dir;
  auto engine = RocksDbEngine::Open({.path = dir.path(), .fsync = false}).value();
  Replay(engine.get(), stream_, seed_);
  ExpectEqual(Recount(stream_, 90, NaiveQueries()), ReadCounts(*engine));
}

TEST_P(ExactnessTest, AnyOrderAndAnyRepeatGiveTheSameDigest) {
  FakeEngine ordered;
  Replay(&ordered, stream_, seed_);
  const std::string digest = StateDigest(ordered).value();

  auto shuffled_stream = stream_;
  std::shuffle(shuffled_stream.begin(), shuffled_stream.end(), std::mt19937_64(seed_ * 7));
  FakeEngine shuffled;
  Replay(&shuffled, shuffled_stream, seed_ + 1);
  EXPECT_EQ(StateDigest(shuffled).value(), digest);

  auto twice = shuffled_stream;
  twice.insert(twice.end(), stream_.begin(), stream_.end());
  FakeEngine repeated;
  Replay(&repeated, twice, seed_ + 2, &repeated);
  EXPECT_EQ(StateDigest(repeated).value(), digest);

  auto one_more = stream_;
  one_more.push_back(MakeArticle(900'000));
  FakeEngine other;
  Replay(&other, one_more, seed_);
  EXPECT_NE(StateDigest(other).value(), digest);
}

TEST_P(ExactnessTest, AWipedLogIsReadAgainFromItsStartWithoutCountingTwice) {
  FakeEngine engine;
  Replay(&engine, stream_, seed_);
  const auto before = ReadCounts(engine);
  Applier applier(engine, {});
  ASSERT_TRUE(applier.Reload().ok());
  const Claim claim = engine.TakeClaim("another cluster", kWhere).value();
  ASSERT_EQ(claim.next_offset, -1);
  Batch batch;
  const auto applied = applier.Apply(ToLog(stream_), kTestNow, &batch);
  ASSERT_TRUE(applied.ok());
  EXPECT_EQ(applied->stored, 0u);
  batch.Advance(claim, static_cast<int64_t>(stream_.size()));
  ASSERT_TRUE(engine.Commit(batch).ok());
  ExpectEqual(before, ReadCounts(engine));
}

}  // namespace
}  // namespace racewatch::store
