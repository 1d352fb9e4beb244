#include "ingest/feed_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "racewatch/v1/config.pb.h"

namespace racewatch::ingest {
namespace {

constexpr char kOpml[] = R"(<?xml version="1.0"?>
<opml version="2.0"><head><title>Feeds</title></head><body>
  <outline text="News">
    <outline text="US" title="US">
      <outline type="rss" text="A &amp; B" xmlUrl="https://a.example/feed" language="en" publisherGroup="us"/>
    </outline>
    <outline text="C" XMLURL="https://c.example/feed"/>
  </outline>
  <outline text="just a folder"/>
  <outline type="rss" title="D" xmlUrl="file:/feeds/d.xml"/>
</body></opml>)";

TEST(OpmlTest, ReadsOutlinesInNestedFolders) {
  const auto feeds = ParseOpml(kOpml);
  ASSERT_TRUE(feeds.ok()) << feeds.status().ToString();
  ASSERT_EQ(feeds->size(), 3u);
  EXPECT_EQ((*feeds)[0].url, "https://a.example/feed");
  EXPECT_EQ((*feeds)[0].title, "A & B");
  EXPECT_EQ((*feeds)[0].folder, "News/US");
  EXPECT_EQ((*feeds)[0].group, "us");
  EXPECT_EQ((*feeds)[0].language, "en");
  EXPECT_EQ((*feeds)[1].folder, "News");
  EXPECT_EQ((*feeds)[2].folder, "");
  EXPECT_TRUE((*feeds)[2].is_file());
}

TEST(OpmlTest, FeedsBelowAFeedAreRead) {
  const auto feeds = ParseOpml("<opml><body><outline text='News'><outline text='A' xmlUrl='https://a.example/'><outline text='B' xmlUrl='https://b.example/'/>"
                               "</outline></outline></body></opml>");
  ASSERT_TRUE(feeds.ok());
  ASSERT_EQ(feeds->size(), 2u);
  EXPECT_EQ((*feeds)[1].url, "https://b.example/");
  EXPECT_EQ((*feeds)[1].folder, "News");
}

TEST(OpmlTest, WhatIsWrittenIsReadBack) {
  const auto feeds = ParseOpml(kOpml);
  const auto again = ParseOpml(WriteOpml(*feeds, "Feeds"));
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->size(), 3u);
  EXPECT_EQ((*again)[0].title, "A & B");
  EXPECT_EQ((*again)[0].folder, "News/US");
  EXPECT_EQ((*again)[0].group, "us");
}

TEST(OpmlTest, ReadsListsInAnyCharset) {
  const auto latin = ParseOpml("<?xml version='1.0' encoding='ISO-8859-1'?><opml><body><outline text='Caf\xe9' xmlUrl='https://a.example/'/></body></opml>");
  ASSERT_TRUE(latin.ok());
  EXPECT_EQ(latin->front().title, "Café");
  const auto cyrillic = ParseOpml("<?xml version='1.0' encoding='windows-1251'?><opml><body><outline text='\xcd\xee\xe2\xee\xf1\xf2\xe8' "
                                  "xmlUrl='https://a.example/?a=1&b=2'/></body></opml>");
  ASSERT_TRUE(cyrillic.ok());
  EXPECT_EQ(cyrillic->front().title, "Новости");
  EXPECT_EQ(cyrillic->front().url, "https://a.example/?a=1&b=2");
}

TEST(OpmlTest, AddsWhatAListDoesNotNameAndKeepsTheRestOfIt) {
  const std::string list = "<?xml version='1.0' encoding='ISO-8859-1'?><opml version='1.0'><head><ownerName>Caf\xe9</ownerName></head><body>"
                           "<!-- ours --><outline text='A' xmlUrl='https://a.example/' htmlUrl='https://a.example/home'/></body></opml>";
  size_t added = 0;
  const auto merged = AddToOpml(list, {{.url = "https://a.example/", .title = "Other"}, {.url = "https://b.example/", .title = "B", .folder = "News"}}, &added);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(added, 1u);
  EXPECT_THAT(*merged, testing::AllOf(testing::HasSubstr("<!-- ours -->"), testing::HasSubstr("htmlUrl=\"https://a.example/home\""),
                                      testing::HasSubstr("Café"), testing::HasSubstr("encoding=\"UTF-8\"")));
  const auto feeds = ParseOpml(*merged);
  ASSERT_TRUE(feeds.ok());
  ASSERT_EQ(feeds->size(), 2u);
  EXPECT_EQ((*feeds)[0].title, "A");
  EXPECT_EQ((*feeds)[1].folder, "News");
  EXPECT_FALSE(AddToOpml("<opml><body><outline text='cut", {}, &added).ok());
}

TEST(OpmlTest, SurvivesDeepNesting) {
  std::string deep = "<opml><body>", closing;
  for (int i = 0; i < 100'000; ++i) {
    deep += "<outline text='x'>";
    closing += "</outline>";
  }
  const auto feeds = ParseOpml(deep + "<outline xmlUrl='https://a.example/'/>" + closing + "</body></opml>");
  ASSERT_TRUE(feeds.ok()) << feeds.status().ToString();
  ASSERT_EQ(feeds->size(), 1u);
  EXPECT_LT((*feeds)[0].folder.size(), 100u);
}

TEST(OpmlTest, RefusesWhatIsNoOpml) {
  EXPECT_EQ(ParseOpml("<rss/>").status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(ParseOpml("not xml").status().code(), base::Code::kInvalidArgument);
}

TEST(FeedListTest, JoinsConfigAndFilesAndCountsEachFeedOnce) {
  const std::string path = (std::filesystem::temp_directory_path() / ("racewatch-opml-" + std::to_string(getpid()))).string();
  std::ofstream(path) << kOpml;
  v1::IngestConfig config;
  config.add_feeds()->set_url("https://a.example/feed");
  config.mutable_feeds(0)->set_title("Mine");
  config.add_opml(path);
  const auto feeds = ReadFeedList(config);
  std::filesystem::remove(path);
  ASSERT_TRUE(feeds.ok());
  ASSERT_EQ(feeds->size(), 3u);
  EXPECT_EQ((*feeds)[0].title, "Mine");  // the first listing wins
  EXPECT_TRUE((*feeds)[0].fetch_pages);
  EXPECT_FALSE((*feeds)[2].fetch_pages);  // a file has no page
}

TEST(FeedListTest, NamesAFileThatIsMissing) {
  v1::IngestConfig config;
  config.add_opml("/nonexistent/feeds.opml");
  EXPECT_EQ(ReadFeedList(config).status().code(), base::Code::kNotFound);
  EXPECT_THAT(ReadFeedList(config).status().message(), testing::HasSubstr("/nonexistent/feeds.opml"));
}

}  // namespace
}  // namespace racewatch::ingest
