// Archives of every format: what each item becomes, what bad input costs, and that positions are numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ingest/backfill/archive.h"
#include "ingest/backfill/builder.h"
#include "ingest/backfill/csv.h"
#include "ingest/dates.h"
#include "ingest/url.h"
#include "tests/fakes/gzip.h"

namespace racewatch::ingest {
namespace {

using fakes::Gzip;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ArchiveTest : public testing::Test {
 protected:
  ArchiveTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-archive-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~ArchiveTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // All items; `end` is what ended the reading.
  std::vector<ArchiveItem> Read(const std::string& path, const ArchiveOptions& options = {}) {
    std::vector<ArchiveItem> items;
    auto archive = OpenArchive(path, options);
    end_ = archive.status();
    if (!archive.ok()) return items;
    for (;;) {
      ArchiveItem item;
      const auto more = (*archive)->Next(&item);
      end_ = more.status();
      if (!more.ok() || !*more) return items;
      items.push_back(std::move(item));
    }
  }

  std::string folder_;
  base::Status end_;
};

TEST_F(ArchiveTest, JsonlHasTheUsualNamesOrThoseOfTheMap) {
  const std::string path = Write("a.jsonl", R"({"title":"One","text":"First.\n\nSecond & last.","url":"https://d.example/1","published":"2026-03-14T09:15:00Z","authors":["Ann","Bo"],"language":"en"})"
                                            "\n\nnonsense\n{\"text\":\"\"}\n[1]\n" R"({"headline":"Two","date":1773480413,"uri":"x-2"})");
  const auto items = Read(path);
  EXPECT_TRUE(end_.ok());
  ASSERT_THAT(items, SizeIs(5));
  EXPECT_EQ(items[0].where, path + ":1");
  EXPECT_EQ(items[0].entry.content, "<p>First.</p><p>Second &amp; last.</p>");
  EXPECT_EQ(items[0].entry.author, "Ann, Bo");
  EXPECT_EQ(items[1].where, path + ":3");
  EXPECT_EQ(items[1].reject_reason, "bad_json");
  EXPECT_EQ(items[1].original, "nonsense");
  EXPECT_EQ(items[2].reject_reason, "no_title");
  EXPECT_EQ(items[3].reject_reason, "bad_json");
  EXPECT_EQ(items[4].entry.title, "Two");
  EXPECT_EQ(items[4].entry.id, "x-2");
  EXPECT_EQ(items[4].entry.published->unix_ms, 1'773'480'413'000);
  ArchiveOptions mapped;
  mapped.fields = {{"title", "uri"}};
  EXPECT_EQ(Read(path, mapped).back().entry.title, "x-2");
}

TEST_F(ArchiveTest, CsvReadsQuotesAndNamesBadLinesByNumber) {
  const std::string path = Write("a.csv", "\xEF\xBB\xBFTitle,Body,Link,Date\n\"Chips, \"\"new\"\"\",\"line one\nline two\",https://d.example/1,2026-03-14\n"
                                          "too,few\n\"never closed,x,y,z\nGood,text,https://d.example/2,\n");
  const auto items = Read(path);
  EXPECT_TRUE(end_.ok()) << end_.ToString();
  ASSERT_THAT(items, SizeIs(4));
  EXPECT_EQ(items[0].entry.title, "Chips, \"new\"");
  EXPECT_EQ(items[0].entry.content, "<p>line one</p><p>line two</p>");
  EXPECT_EQ(items[0].entry.link, "https://d.example/1");
  EXPECT_EQ(items[1].where, path + ":4");
  EXPECT_EQ(items[1].reject_reason, "bad_line");
  EXPECT_THAT(items[1].detail, HasSubstr("2 fields where the header has 4"));
  EXPECT_EQ(items[2].where, path + ":5");
  EXPECT_THAT(items[2].detail, HasSubstr("never closed"));
  EXPECT_EQ(items[2].original, "\"never closed,x,y,z");
  EXPECT_EQ(items[3].entry.title, "Good");
}

TEST_F(ArchiveTest, ColumnsMayBeGivenByNumber) {
  ArchiveOptions options;
  options.header = false;
  options.fields = {{"title", "2"}, {"url", "1"}};
  const auto items = Read(Write("a.tsv", "https://d.example/1\tOne \"quoted\n"), options);
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(items[0].entry.title, "One \"quoted");
  Read(Write("b.csv", "x,y\n1,2\n"));
  EXPECT_THAT(end_.message(), HasSubstr("no column for title or text"));
  Read(Write("d.csv", "\"title\n1,2\n"));
  EXPECT_THAT(end_.message(), HasSubstr("d.csv:1: no header: a quote is never closed"));
  options.header = true;
  options.fields = {{"title", "Headline"}};
  Read(Write("c.csv", "x,y\n1,2\n"), options);
  EXPECT_THAT(end_.message(), HasSubstr("no column 'Headline' for title"));
}

TEST_F(ArchiveTest, GzipMembersAreReadThroughAndACutOneSaysSo) {
  const std::string one = Gzip("{\"title\":\"One\"}\n"), two = Gzip("{\"title\":\"Two\"}\n{\"title\":\"Three\"}\n");
  EXPECT_THAT(Read(Write("a.jsonl.gz", one + two)), SizeIs(3));
  EXPECT_TRUE(end_.ok());
  EXPECT_THAT(Read(Write("b.jsonl.gz", one + two.substr(0, 14))), testing::Not(IsEmpty()));
  EXPECT_EQ(end_.code(), base::Code::kDataLoss);
}

std::string Warc(const std::string& type, const std::string& target, const std::string& content_type, const std::string& block) {
  return "WARC/1.0\r\nWARC-Type: " + type + "\r\nWARC-Target-URI: " + target + "\r\nWARC-Date: 2026-03-15T10:00:00Z\r\nContent-Type: " + content_type +
         "\r\nContent-Length: " + std::to_string(block.size()) + "\r\n\r\n" + block + "\r\n\r\n";
}

std::string Html() {
  std::string text;
  for (int i = 0; i < 6; ++i) text += "<p>Paragraph " + std::to_string(i) + " says what happened, who said so, and why readers should care.</p>";
  return "<html lang='en'><head><title>Chips on the table</title><meta property='article:published_time' content='2026-03-14T09:15:00Z'></head><body><article>"
         "<h1>Chips on the table</h1>" + text + "</article></body></html>";
}

std::string Chunked(const std::string& body) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", body.size());
  return size + body + "\r\n0\r\n\r\n";
}

TEST_F(ArchiveTest, WarcResponsesBecomeArticlesAndEverythingElseIsCounted) {
  const std::string http = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n";
  std::string warc = Warc("warcinfo", "", "application/warc-fields", "software: x");
  warc += Warc("response", "https://d.example/1", "application/http", http + "\r\n" + Html());
  warc += Warc("response", "<https://d.example/2>", "application/http",
               http + "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + Chunked(Gzip(Html())));
  warc += Warc("response", "https://d.example/3", "application/http", "HTTP/1.1 404 Not Found\r\n\r\nno");
  warc += Warc("response", "https://d.example/4", "application/http", "garbage");
  warc += Warc("resource", "https://d.example/5", "text/html", Html());
  warc += Warc("response", "https://d.example/6", "application/http", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nPNG");
  const auto items = Read(Write("a.warc.gz", Gzip(warc.substr(0, 100)) + Gzip(warc.substr(100))));
  EXPECT_TRUE(end_.ok()) << end_.ToString();
  ASSERT_THAT(items, SizeIs(7));
  EXPECT_EQ(items[0].drop_reason, "not_a_page");
  ASSERT_TRUE(items[1].page);
  EXPECT_EQ(items[1].entry.title, "Chips on the table");
  EXPECT_EQ(items[1].archived_ms, 1'773'568'800'000);
  ASSERT_TRUE(items[2].page);
  EXPECT_EQ(items[2].entry.link, "https://d.example/2");
  EXPECT_EQ(items[3].drop_reason, "http_status");
  EXPECT_EQ(items[4].reject_reason, "bad_response");
  EXPECT_TRUE(items[5].page);
  EXPECT_EQ(items[6].drop_reason, "not_a_page");
}

TEST_F(ArchiveTest, AWarcCutAnywhereKeepsTheRecordsBeforeTheCut) {
  const std::string record = Warc("resource", "https://d.example/1", "text/html", Html());
  const std::string whole = record + record;
  for (size_t cut = record.size() + 10; cut < whole.size() - 4; cut += 37) {
    ASSERT_THAT(Read(Write("a.warc", whole.substr(0, cut))), SizeIs(1)) << "cut at " << cut;
    ASSERT_EQ(end_.code(), base::Code::kDataLoss) << "cut at " << cut;
  }
}

TEST_F(ArchiveTest, GkgHasTitleTimeAndThemes) {
  std::vector<std::string> columns(27);
  columns[0] = "20260314091500-1";
  columns[1] = "20260314091500";
  columns[2] = "1";
  columns[4] = "https://d.example/1";
  columns[7] = "TAX_AI;TRADE";
  columns[26] = "<PAGE_PRECISEPUBTIMESTAMP>20260314080000</PAGE_PRECISEPUBTIMESTAMP><PAGE_TITLE>Chips &amp; rules</PAGE_TITLE>";
  const auto line = [](const std::vector<std::string>& all) {
    std::string out;
    for (const auto& one : all) out += (out.empty() ? "" : "\t") + (one.empty() ? std::string(" ") : one);
    return out + "\n";
  };
  std::string bytes = line(columns) + "bad line\n";
  columns[2] = "2";
  bytes += line(columns);
  const auto items = Read(Write("20260314091500.gkg.csv", bytes));
  ASSERT_THAT(items, SizeIs(3));
  EXPECT_EQ(items[0].entry.title, "Chips & rules");
  EXPECT_EQ(Rfc3339(items[0].entry.published->unix_ms), "2026-03-14T08:00:00Z");
  EXPECT_THAT(items[0].entry.categories, ElementsAre("TAX_AI", "TRADE"));
  EXPECT_EQ(items[1].reject_reason, "bad_line");
  EXPECT_EQ(items[2].drop_reason, "not_a_page");
}

TEST_F(ArchiveTest, GalIsJsonl) {
  const auto items = Read(Write("20260314.gal.json.gz", Gzip(R"({"date":"2026-03-14T09:15:00Z","url":"https://d.example/1","title":"Chips","lang":"en","desc":"Short"})" "\n")));
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(items[0].entry.title, "Chips");
  EXPECT_EQ(items[0].entry.summary, "<p>Short</p>");
  EXPECT_EQ(items[0].entry.language, "en");
}

TEST_F(ArchiveTest, OpmlReadsEachFeedAndOneThatCannotBeReadIsOneReject) {
  Write("one.xml", "<rss version='2.0'><channel><title>T</title><language>de</language><item><title>Eins</title></item></channel></rss>");
  const std::string path = Write("list.opml", "<opml version='2.0'><body><outline text='News'><outline xmlUrl='one.xml'/><outline xmlUrl='absent.xml'/></outline>"
                                              "<outline xmlUrl='https://d.example/feed'/></body></opml>");
  ArchiveOptions options;
  options.fetch = [](const std::string& url) {
    EXPECT_EQ(url, "https://d.example/feed");
    return base::Result<std::string>("<rss version='2.0'><channel><item><title>Two</title><link>/2</link></item></channel></rss>");
  };
  const auto items = Read(path, options);
  ASSERT_THAT(items, SizeIs(3));
  EXPECT_EQ(items[0].entry.title, "Eins");
  EXPECT_EQ(items[0].feed_language, "de");
  EXPECT_EQ(items[1].reject_reason, "unreadable");
  EXPECT_EQ(items[2].entry.link, "https://d.example/2");
}

TEST_F(ArchiveTest, FoldersAndUnknownNames) {
  Write("b.jsonl", "");
  Write("a.csv", "");
  Write(".hidden.csv", "");
  EXPECT_THAT(*ArchiveFiles(folder_), ElementsAre(folder_ + "/a.csv", folder_ + "/b.jsonl"));
  EXPECT_EQ(ArchiveFiles(folder_ + "/absent").status().code(), base::Code::kNotFound);
  Read(Write("a.pdf", "x"));
  EXPECT_THAT(end_.message(), HasSubstr("--format"));
}

TEST_F(ArchiveTest, OneEndlessLineIsCutNotSwallowed) {
  const std::string path = Write("a.jsonl", std::string(LineReader::kLineBytesMax + 100, 'x') + "\n{\"title\":\"After\"}\n");
  const auto items = Read(path);
  ASSERT_THAT(items, SizeIs(2));
  EXPECT_EQ(items[0].reject_reason, "bad_line");
  EXPECT_EQ(items[1].entry.title, "After");
}

TEST(BackfillBuilderTest, AnArchivedArticleHasTheIdOfTheLiveOneAndRanksBelowIt) {
  const PublisherRegistry publishers;
  const BackfillBuilder builder(publishers);
  ArchiveItem item;
  item.entry.title = "Chips on the table";
  item.entry.link = "http://www.d.example/1?utm_source=x";
  item.entry.published = FeedTime{1'773'480'413'000, TimePrecision::kSecond};
  const v1::Article article = builder.Build(item, "a.jsonl", 1'780'000'000'000);
  EXPECT_EQ(article.id(), UrlKey(Canonicalize("https://d.example/1")->key).ToHex());
  EXPECT_EQ(article.lane(), v1::LANE_BACKFILL);
  EXPECT_EQ(article.fetched_at().seconds(), 1'773'480'413);
  EXPECT_EQ(article.revision_at().seconds(), 1'773'480'413);
  EXPECT_EQ(article.feed_id(), "backfill:a.jsonl");
  EXPECT_EQ(article.publisher(), "d.example");
}

}  // namespace
}  // namespace racewatch::ingest
