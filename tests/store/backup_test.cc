#include "store/backup.h"

#include <gtest/gtest.h>

#include "store/applier.h"
#include "store/digest.h"
#include "store/rocksdb_engine.h"
#include "store/story_step.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

void Fill(Engine* engine, uint64_t seed, int64_t from_offset) {
  Applier applier(*engine, {});
  ASSERT_TRUE(applier.Reload().ok());
  const Claim claim = engine->TakeClaim("c", kWhere).value();
  std::vector<base::Record> records;
  for (const auto& article : RandomStream(seed)) records.push_back(ToRecord(article, 0, from_offset++));
  Batch batch;
  ASSERT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
  batch.Advance(claim, from_offset);
  ASSERT_TRUE(engine->Commit(batch).ok());
  StoryStep stories(*engine, 1000);
  ASSERT_TRUE(stories.Restore().ok());
  ASSERT_TRUE(stories.Run(10'000, engine->TakeClaim("", {"leader", 0}).value()).ok());
}

std::string Copy(const Engine& engine, const std::function<void(int)>& after = nullptr) {
  BackupWriter writer(engine);
  std::string all;
  for (int pieces = 0;; ++pieces) {
    const auto next = writer.Next();
    EXPECT_TRUE(next.ok()) << next.status().ToString();
    if (!next.ok() || next->empty()) return all;
    all += *next;
    if (after) after(pieces);
  }
}

base::Result<uint64_t> Restore(std::string_view bytes, Engine& engine) {
  return RestoreBackup(
      [bytes](size_t size, std::string* out) mutable {
        *out = bytes.substr(0, size);
        bytes.remove_prefix(out->size());
        return base::Status();
      },
      engine);
}

TEST(BackupTest, ACopyTakenWhileTheStoreGoesOnHoldsOneMoment) {
  TempDir dir;
  FakeEngine engine;
  Fill(&engine, 3, 0);
  const std::string digest = StateDigest(engine).value(), stories = StoryDigest(engine).value();
  const std::string copy = Copy(engine, [&](int pieces) {
    if (pieces == 0) Fill(&engine, 4, 300);
  });
  ASSERT_NE(StateDigest(engine).value(), digest);
  auto restored = RocksDbEngine::Open({.path = dir.path()}).value();
  const auto rows = Restore(copy, *restored);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(StateDigest(*restored).value(), digest);
  EXPECT_EQ(StoryDigest(*restored).value(), stories);
  EXPECT_TRUE(CheckRestored(*restored).ok());
  EXPECT_EQ(restored->TakeClaim("c", kWhere)->next_offset, 300) << "reading goes on where the copy was taken";
}

TEST(BackupTest, AStateThatHoldsSomethingIsNotOverwritten) {
  FakeEngine engine, other;
  Fill(&engine, 3, 0);
  Fill(&other, 4, 0);
  const std::string before = StateDigest(other).value();
  EXPECT_EQ(Restore(Copy(engine), other).status().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(StateDigest(other).value(), before);
}

TEST(BackupTest, DamageIsNamedAndWhatWasRestoredIsNotUsed) {
  FakeEngine engine;
  Fill(&engine, 3, 0);
  const std::string copy = Copy(engine);
  std::string flipped = copy;
  flipped[copy.size() / 2] ^= 1;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "cut off"}, {copy.substr(0, copy.size() - 5), "cut off"}, {copy.substr(0, copy.size() / 2), "cut off"},
      {"something else altogether", "this is none"}, {flipped, "damaged"}};
  for (const auto& [bytes, why] : cases) {
    FakeEngine target;
    const auto rows = Restore(bytes, target);
    ASSERT_FALSE(rows.ok());
    EXPECT_EQ(rows.status().code(), base::Code::kInvalidArgument);
    EXPECT_NE(rows.status().message().find(why), std::string::npos) << rows.status().message();
    if (bytes.size() > 100) {
      EXPECT_FALSE(CheckRestored(target).ok());
    }
  }
}

}  // namespace
}  // namespace racewatch::store
