// The run of `racewatch backfill` on a target that can fail: nothing is lost, nothing delivered is read again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "cli/backfill_run.h"

namespace racewatch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class FakeTarget final : public BackfillTarget {
 public:
  base::Status Deliver(const v1::BackfillBatch& batch) override {
    if (fail_after-- == 0) return base::Unavailable("server is away");
    for (const v1::Article& article : batch.articles()) titles.insert(article.title());
    articles += static_cast<size_t>(batch.articles_size());
    for (const v1::BackfillReject& reject : batch.rejects()) rejects.push_back(reject.where().substr(reject.where().rfind('/') + 1) + " " + reject.reason());
    return {};
  }
  int fail_after = -1;
  size_t articles = 0;
  std::multiset<std::string> titles;
  std::vector<std::string> rejects;
};

class BackfillRunTest : public testing::Test {
 protected:
  BackfillRunTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-backfill-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    options_.on_problem = [this](const std::string& line) { problems_.push_back(line); };
    options_.on_progress = [this](const BackfillProgress& progress) { share_ = progress.share; };
  }
  ~BackfillRunTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) { std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes; }
  static std::string Lines(int from, int to) {
    std::string out;
    for (int i = from; i < to; ++i) out += "{\"title\":\"T" + std::to_string(i) + "\",\"url\":\"https://d.example/" + std::to_string(i) + "\"}\n";
    return out;
  }
  base::Status Run() {
    BackfillPositions positions(folder_ + ".state");
    RW_RETURN_IF_ERROR(positions.Load());
    counts_ = {};
    return RunBackfill({folder_}, options_, publishers_, clock_, positions, target_, &counts_);
  }
  uint64_t Dropped() const {
    uint64_t n = 0;
    for (const auto& [reason, times] : counts_.dropped) n += times;
    return n;
  }

  const ingest::PublisherRegistry publishers_;
  const base::SystemClock clock_;
  std::string folder_;
  BackfillOptions options_;
  FakeTarget target_;
  BackfillCounts counts_;
  std::vector<std::string> problems_;
  double share_ = 0;
};

TEST_F(BackfillRunTest, EveryItemIsSentDroppedOrDeadLettered) {
  Write("a.jsonl", Lines(0, 1200) + "nonsense\n");
  Write("b.csv", "title,url\nOne,https://d.example/x\nbad\n");
  Write("c.pdf", "no archive");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(counts_.read, 1203u);
  EXPECT_EQ(counts_.sent, 1201u);
  EXPECT_EQ(counts_.dead_lettered, 2u);
  EXPECT_EQ(counts_.read, counts_.sent + Dropped() + counts_.dead_lettered);
  EXPECT_EQ(counts_.unreadable, 1u);
  EXPECT_THAT(target_.rejects, ElementsAre("a.jsonl:1201 bad_json", "b.csv:3 bad_line"));
  EXPECT_GT(share_, 0.9);
}

TEST_F(BackfillRunTest, AnInterruptedRunGoesOnWhereItStopped) {
  Write("a.jsonl", Lines(0, 2600));
  target_.fail_after = 2;
  EXPECT_FALSE(Run().ok());
  EXPECT_EQ(target_.articles, 1000u);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(counts_.resumed, 1000u);
  EXPECT_EQ(target_.articles, 2600u);
  EXPECT_EQ(std::set<std::string>(target_.titles.begin(), target_.titles.end()).size(), 2600u);
  ASSERT_TRUE(Run().ok());  // nothing is left to do
  EXPECT_EQ(counts_.read, 0u);
  EXPECT_EQ(counts_.resumed, 2600u);
  Write("a.jsonl", Lines(0, 2601));  // another file now
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(counts_.sent, 2601u);
}

TEST_F(BackfillRunTest, AFileThatEndsInMidRecordIsReadUpToThereAndOnce) {
  Write("a.warc", "WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/plain\r\nContent-Length: 500\r\n\r\ncut");
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(target_.rejects, ElementsAre("a.warc:1 cut"));
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("cut in mid-record")));
  EXPECT_EQ(counts_.read, counts_.sent + Dropped() + counts_.dead_lettered);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(counts_.read, 0u);
}

TEST_F(BackfillRunTest, DropsAreCountedByReason) {
  Write("a.warc", "WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 2\r\n\r\nxx\r\n\r\n");
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(counts_.dropped, ElementsAre(Pair("not_a_page", 1u)));
}

TEST_F(BackfillRunTest, ADamagedPositionFileIsAnErrorNotABeginningAnew) {
  std::ofstream(folder_ + ".state") << "{broken";
  EXPECT_THAT(Run().message(), HasSubstr("position file"));
}

}  // namespace
}  // namespace racewatch::cli
