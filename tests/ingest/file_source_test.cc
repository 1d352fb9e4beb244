// file: sources go through the same path as the network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "ingest/feed/feed_parser.h"
#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

class FileSourceTest : public RoleTest {
 protected:
  FileSourceTest() { std::filesystem::create_directories(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_ + name).parent_path());
    std::ofstream(folder_ + name, std::ios::binary) << text;
  }
  // Named inside the state folder, which the fixture removes.
  const std::string folder_ = state_dir_ + "/feeds/";
};

TEST_F(FileSourceTest, ReadsOneDocument) {
  Write("a.xml", Rss({{"One", "https://a.example/1"}}));
  AddFeed("file:" + folder_ + "a.xml");
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(Articles()[0].feed_id(), "file:" + folder_ + "a.xml");
}

TEST_F(FileSourceTest, ReadsEveryDocumentOfAFolderAndItsSubfolders) {
  Write("a.xml", Rss({{"One", "https://a.example/1"}}));
  Write("sub/b.xml", Rss({{"Two", "https://a.example/2"}}));
  Write(".hidden", Rss({{"Three", "https://a.example/3"}}));
  AddFeed("file:" + folder_);
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
}

TEST_F(FileSourceTest, ReadsAgainOnlyWhatChanged) {
  Write("a.xml", Rss({{"One", "https://a.example/1"}}));
  Write("b.xml", Rss({{"Other", "https://b.example/1"}}));
  AddFeed("file:" + folder_);
  Start();
  Settle();
  Advance(60'000);
  EXPECT_EQ(Counts().entries, 2u);
  Write("a.xml", Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}}));
  Write("c.xml", Rss({{"Three", "https://c.example/1"}}));
  Advance(60'000);
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Other", "Two", "Three"));
  EXPECT_EQ(Counts().entries, 5u);
  ExpectBalanced();
}

TEST_F(FileSourceTest, AStartReadsEverythingOnceAndAddsNothingNew) {
  Write("a.xml", Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}}));
  AddFeed("file:" + folder_);
  Start();
  Settle();
  Restart();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  EXPECT_EQ(Counts().entries, 2u);
  EXPECT_THAT(Counts().dropped, ElementsAre(Pair("duplicate", 2)));
}

TEST_F(FileSourceTest, AMissingFileAndALargeOneAreCounted) {
  Write("large.xml", Rss({{"One", "https://a.example/1", std::string(4096, 'x')}}));
  config_.set_body_bytes_max(2048);
  AddFeed("file:" + folder_ + "large.xml");
  AddFeed("file:" + folder_ + "none.xml");
  Start();
  Settle();
  EXPECT_EQ(FeedField("file:" + folder_ + "large.xml", "reason"), "too_large");
  EXPECT_EQ(FeedField("file:" + folder_ + "none.xml", "reason"), "file");
  Write("none.xml", Rss({{"Two", "https://a.example/2"}}));
  Advance(60'000);
  EXPECT_THAT(Titles(), ElementsAre("Two"));
}

// The demand of the pipeline: every entry that the parser finds arrives or is in a counted drop.
TEST_F(FileSourceTest, EveryEntryOfTheSharedRealFeedsArrivesOrIsCounted) {
  const std::string real = RACEWATCH_SOURCE_DIR "/../shared/cases/feeds/real";
  if (!std::filesystem::exists(real)) GTEST_SKIP() << "needs ../shared/cases/feeds/real";
  uint64_t parsed = 0;
  for (const auto& file : std::filesystem::directory_iterator(real)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const auto feed = ParseFeed(bytes);
    if (feed.ok()) parsed += feed->entries.size();
  }
  AddFeed("file:" + real);
  Start();
  Settle();
  EXPECT_EQ(Counts().entries, parsed);
  ExpectBalanced();
  std::set<std::string> ids;
  for (const base::Record& record : Records()) ids.insert(record.key);
  EXPECT_EQ(ids.size(), Counts().sent);
  RecordProperty("entries", static_cast<int>(parsed));
  RecordProperty("articles", static_cast<int>(ids.size()));
  const size_t records = Records().size();
  Restart();
  Settle();
  EXPECT_EQ(Records().size(), records);  // a second run adds nothing
  EXPECT_EQ(Counts().entries, parsed);
  ExpectBalanced();
}

}  // namespace
}  // namespace racewatch::ingest
