// The whole role over loopback HTTP with sources beyond plain feeds, and with what an operator may ask of a feed: sitemaps,
// pages, discovery, rules, credentials, aggregators, articles over several pages, edits, deletions, takedowns, backfill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/publisher_registry.h"
#include "racewatch/v1/backfill.pb.h"
#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using fakes::TestReply;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr int64_t kMinute = 60'000;

std::string Paragraphs(const std::string& about) {
  std::string out;
  for (int i = 0; i < 8; ++i)
    out += "<p>Sentence " + std::to_string(i) + " of the part on " + about + " says what happened, who said so, and why readers should care.</p>";
  return out;
}

std::string PageOf(const std::string& title, const std::string& text, const std::string& extra = "") {
  return "<html lang='en'><head><title>" + title + "</title></head><body><article><h1>" + title + "</h1>" + text + "</article>" + extra + "</body></html>";
}

class SourcesTest : public RoleTest {
 protected:
  SourcesTest() {
    config_.set_fetch_pages(true);
    server_.Serve("/robots.txt", Body("User-agent: *\nAllow: /\n"));
  }
  std::string Loc(const std::string& path, const std::string& more = "") { return "<url><loc>" + server_.Url(path) + "</loc>" + more + "</url>"; }
  std::string Post(const std::string& path, const std::string& body, int* status) {
    base::HttpClient::Options options;
    options.allow_private_addresses = true;
    base::HttpClient client(options);
    std::string answer;
    bool done = false;
    base::HttpCall call;
    call.method = "POST";
    call.url = "http://127.0.0.1:" + std::to_string(http_->port()) + path;
    call.body = body;
    client.Start(std::move(call), [&](const base::HttpReply& reply) {
      *status = reply.http_status;
      answer = reply.body;
      done = true;
    });
    while (!done) client.Poll(std::chrono::milliseconds(100));
    return answer;
  }
};

TEST_F(SourcesTest, ASitemapIndexLeadsToItsSitemapsAndTheirPages) {
  server_.Serve("/index.xml", Body("<sitemapindex><sitemap><loc>" + server_.Url("/news.xml") + "</loc></sitemap><sitemap><loc>file:/etc/passwd</loc>"
                                   "</sitemap><sitemap><loc>" + server_.Url("/old.xml") + "</loc><lastmod>2001-01-01</lastmod></sitemap></sitemapindex>"));
  server_.Serve("/news.xml", Body("<urlset>" + Loc("/a") + Loc("/ancient", "<lastmod>2001-01-01</lastmod>") + "</urlset>"));
  server_.Serve("/a", Body(PageOf("Chips on the table", Paragraphs("chips"))));
  AddFeed(server_.Url("/index.xml"), 60);
  Start();
  WaitFor([this] { return Articles().size() == 1; });
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("Chips on the table"));
  EXPECT_EQ(Articles()[0].feed_id(), server_.Url("/news.xml"));
  EXPECT_EQ(server_.hits("/old.xml"), 0);
  EXPECT_EQ(server_.hits("/ancient"), 0);
  EXPECT_EQ(Counts().dropped["old"], 1u);
  ExpectBalanced();
  Restart();  // an index that has not changed names its sitemaps all the same
  Advance(kMinute);
  EXPECT_EQ(FeedField(server_.Url("/news.xml"), "state"), "ok");
  EXPECT_THAT(Titles(), SizeIs(1));
}

TEST_F(SourcesTest, ChildFeedsAreBounded) {
  std::string index = "<sitemapindex>";
  for (int i = 0; i < 20; ++i) index += "<sitemap><loc>" + server_.Url("/s" + std::to_string(i)) + "</loc></sitemap>";
  server_.Serve("/index.xml", Body(index + "</sitemapindex>"));
  config_.set_child_feeds_max(3);
  AddFeed(server_.Url("/index.xml"), 60);
  Start();
  Settle();
  EXPECT_EQ(server_.hits("/s2"), 1);
  EXPECT_EQ(server_.hits("/s3"), 0);
}

TEST_F(SourcesTest, AnIndexMayNameNewSitemapsForEver) {
  config_.set_child_feeds_max(2);
  const auto serve = [this](int day) {
    const auto loc = [this](int of_day) { return "<sitemap><loc>" + server_.Url("/day" + std::to_string(of_day)) + "</loc></sitemap>"; };
    server_.Serve("/index.xml", Body("<sitemapindex>" + loc(day) + loc(day + 1) + "</sitemapindex>"));
    server_.Serve("/day" + std::to_string(day + 1), Body("<urlset/>"));
  };
  serve(0);
  AddFeed(server_.Url("/index.xml"), 60);
  Start();
  Settle();
  for (int day = 1; day < 6; ++day) {
    serve(day);
    Advance(kMinute);
    EXPECT_EQ(server_.hits("/day" + std::to_string(day + 1)), 1) << day;
  }
  const int hits = server_.hits("/day1");
  Advance(10 * kMinute);
  EXPECT_EQ(server_.hits("/day1"), hits);
  serve(1);  // an older one that is named again is read again
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/day1"), hits + 1);
}

TEST_F(SourcesTest, WithAnIndexGoesWhatItLedTo) {
  server_.Serve("/index.xml", Body("<sitemapindex><sitemap><loc>" + server_.Url("/news.xml") + "</loc></sitemap></sitemapindex>"));
  server_.Serve("/news.xml", Body("<urlset/>"));
  AddFeed(server_.Url("/index.xml"), 60);
  Start();
  Settle();
  base::HttpClient::Options options;
  options.allow_private_addresses = true;
  base::HttpClient client(options);
  bool done = false;
  base::HttpCall call;
  call.method = "DELETE";
  call.url = "http://127.0.0.1:" + std::to_string(http_->port()) + "/api/v1/feeds?id=" + server_.Url("/index.xml");
  client.Start(std::move(call), [&done](const base::HttpReply&) { done = true; });
  while (!done) client.Poll(std::chrono::milliseconds(100));
  Advance(10 * kMinute);
  EXPECT_EQ(server_.hits("/news.xml"), 1);
  EXPECT_EQ(FeedField(server_.Url("/news.xml"), "id"), "");
}

TEST_F(SourcesTest, AnAddressWithoutTitleIsAskedForOnceUntilItChanges) {
  server_.Serve("/map.xml", Body("<urlset>" + Loc("/untitled") + "</urlset>"));
  server_.Serve("/untitled", Body("<html><body><p>short</p></body></html>"));
  AddFeed(server_.Url("/map.xml"), 60);
  Start();
  Settle();
  server_.Serve("/map.xml", Body("<urlset> " + Loc("/untitled") + "</urlset>"));
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/untitled"), 1);
  EXPECT_EQ(Counts().dropped["no_title"], 1u);
  EXPECT_EQ(Counts().dropped["duplicate"], 1u);
  ExpectBalanced();
}

TEST_F(SourcesTest, APageIsASourceByItsLinkSelector) {
  server_.Serve("/news", Body("<html lang='en'><body><nav><a href='/about'>About this paper and us</a></nav><div class='list'><a href='/a'>Chips on the table</a>"
                              "<a href='/b'>Trade talks</a></div></body></html>"));
  AddFeed(server_.Url("/news"), 60);
  config_.mutable_feeds(0)->set_link_selector(".list a");
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("Chips on the table", "Trade talks"));
  server_.Serve("/news", Body("<html><body><div class='redesigned'><a href='/c'>New</a></div></body></html>"));
  Advance(kMinute);
  EXPECT_THAT(FeedField(server_.Url("/news"), "detail"), HasSubstr("no link on the page is selected"));
}

TEST_F(SourcesTest, AHomePageLeadsToTheFeedsItNames) {
  server_.Serve("/", Body("<html><head><link rel='alternate' type='application/rss+xml' title='News' href='/feed'>"
                          "<link rel='alternate' type='application/rss+xml' title='Comments' href='/comments'></head><body>Hello</body></html>"));
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  config_.set_fetch_pages(false);
  AddFeed(server_.Url("/"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(server_.hits("/comments"), 0);
  EXPECT_EQ(FeedField(server_.Url("/"), "state"), "html");
  EXPECT_THAT(FeedField(server_.Url("/"), "detail"), HasSubstr("now followed"));
}

TEST_F(SourcesTest, RulesOnAnyFieldDecideWhatIsTaken) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body(Rss({{"Chips for all", "https://a.example/1", "About export rules"},
                                   {"Football", "https://a.example/sport/2", "A chip shot"},
                                   {"Weather", "https://a.example/3", "Rain"}})));
  AddFeed(server_.Url("/feed"), 60);
  auto* include = config_.mutable_feeds(0)->add_include();
  include->set_field("text");
  include->set_pattern("\\bCHIPS?\\b");
  auto* exclude = config_.mutable_feeds(0)->add_exclude();
  exclude->set_field("link");
  exclude->set_pattern("/sport/");
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("Chips for all"));
  EXPECT_EQ(Counts().dropped["excluded"], 2u);
  ExpectBalanced();
}

TEST_F(SourcesTest, MistakesInRulesSelectorsAndAccessAreAllReported) {
  AddFeed("https://a.example/feed");
  auto& feed = *config_.mutable_feeds(0);
  feed.add_include()->set_field("headline");
  feed.set_link_selector("a >");
  feed.mutable_access()->set_username("u");
  feed.mutable_access()->set_bearer_token("t");
  base::Problems problems;
  ValidateIngestConfig(config_, &problems);
  EXPECT_THAT(problems.lines(), UnorderedElementsAre(HasSubstr("feeds[0].include[0]"), HasSubstr("feeds[0].link_selector"), HasSubstr("feeds[0].access")));
  EXPECT_THAT(base::PrintConfig(config_), AllOf(Not(HasSubstr("\"t\"")), HasSubstr("***")));
}

TEST_F(SourcesTest, CredentialsGoToTheFeedsOwnOriginOnly) {
  fakes::HttpTestServer other;
  other.Serve("/feed", Body(Rss({{"Moved", "https://a.example/1"}})));
  server_.Serve("/feed", TestReply{302, {{"Location", other.Url("/feed")}}, ""});
  config_.set_fetch_pages(false);
  AddFeed(server_.Url("/feed"), 60);
  auto& access = *config_.mutable_feeds(0)->mutable_access();
  access.set_username("ann");
  access.set_password("secret");
  access.set_cookie("session=1");
  (*access.mutable_headers())["X-Key"] = "k";
  Start();
  Settle();
  EXPECT_EQ(server_.LastRequest("/feed").Header("authorization"), "Basic YW5uOnNlY3JldA==");
  EXPECT_EQ(server_.LastRequest("/feed").Header("cookie"), "session=1");
  EXPECT_EQ(server_.LastRequest("/feed").Header("x-key"), "k");
  for (const char* header : {"authorization", "cookie", "x-key"}) EXPECT_EQ(other.LastRequest("/feed").Header(header), "") << header;
  EXPECT_THAT(Titles(), ElementsAre("Moved"));
}

TEST_F(SourcesTest, AFeedMayHaveAProxy) {
  fakes::HttpTestServer proxy;
  proxy.Serve("http://far.example/feed", Body(Rss({{"By proxy", "https://a.example/1"}})));
  config_.set_fetch_pages(false);
  config_.set_allow_private_addresses(false);
  AddFeed("http://far.example/feed");
  config_.mutable_feeds(0)->mutable_access()->set_proxy("http://" + proxy.address());
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("By proxy"));
}

TEST_F(SourcesTest, PagesOfOneArticleAreJoined) {
  server_.Serve("/feed", Body(Rss({{"Long read", server_.Url("/long.html")}})));
  server_.Serve("/long.html", Body(PageOf("Long read", Paragraphs("one"), "<a href='long_2.html'>2</a>")));
  server_.Serve("/long_2.html", Body(PageOf("Long read", Paragraphs("two"), "<a href='long_3.html'>3</a>")));
  server_.Serve("/long_3.html", Body(PageOf("Long read", Paragraphs("three"))));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  WaitFor([this] { return Articles().size() == 1; });
  const v1::Article article = Articles()[0];
  EXPECT_THAT(article.text(), AllOf(HasSubstr("part on one"), HasSubstr("part on two"), HasSubstr("part on three")));
  EXPECT_THAT(article.canonical_url(), testing::EndsWith("/long.html"));
}

TEST_F(SourcesTest, AFurtherPageThatShowsTheSameIsNotJoined) {
  server_.Serve("/feed", Body(Rss({{"Short", server_.Url("/a")}})));
  server_.Serve("/a", Body(PageOf("Short", Paragraphs("one"), "<a href='/a?page=2'>comments</a>")));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  WaitFor([this] { return Articles().size() == 1; });
  Settle();
  EXPECT_EQ(server_.hits("/a"), 2);
  const std::string text = Articles()[0].text();
  EXPECT_EQ(text.find("Sentence 0"), text.rfind("Sentence 0"));
}

TEST_F(SourcesTest, WrappedLinksBecomeThePublishersOwn) {
  config_.set_fetch_pages(false);
  // Base64 of the bytes "\x08\x13\x22\x14" "https://p.example/a1" "\xd2\x01\x00".
  server_.Serve("/feed", Body(Rss({{"One", "https://www.google.com/url?sa=t&amp;url=https%3A%2F%2Fp.example%2Fa%3Fid%3D1"},
                                   {"Two", "https://news.google.com/rss/articles/CBMiFGh0dHBzOi8vcC5leGFtcGxlL2Ex0gEA?oc=5"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  ASSERT_THAT(Articles(), SizeIs(2));
  EXPECT_EQ(Articles()[0].url(), "https://p.example/a?id=1");
  EXPECT_EQ(Articles()[1].url(), "https://p.example/a1");
  EXPECT_EQ(Articles()[1].publisher(), "p.example");
}

TEST_F(SourcesTest, AnotherGuidOrSchemeIsNoNewArticle) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body(Rss({{"One", "http://www.a.example/1", "Text", "g-1"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "Text", "g-2"}})));
  Advance(kMinute);
  server_.Serve("/feed", Body(Rss({{"One", "http://a.example/1#top", "Text", "https://a.example/?p=1"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(Counts().dropped["duplicate"], 2u);
}

TEST_F(SourcesTest, TheFeedThatAnAggregatorTookAnEntryFromIsItsPublisher) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body("<rss version='2.0'><channel><title>All</title><item><title>One</title><link>https://news.google.com/rss/articles/AU_token</link>"
                              "<source url='https://www.wsj.com/rss'>Paper</source></item></channel></rss>"));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  ASSERT_THAT(Articles(), SizeIs(1));
  EXPECT_EQ(Articles()[0].publisher(), "wsj.com");
  EXPECT_EQ(Articles()[0].publisher_group(), "us");
}

TEST_F(SourcesTest, TheRegistryKnowsAtLeastThreeHundredPublishers) { EXPECT_GE(PublisherRegistry().size(), 300u); }

constexpr char kFeedHead[] = "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:at='http://purl.org/atompub/tombstones/1.0'><title>T</title>";

std::string AtomEntry(const std::string& title, const std::string& content) {
  return "<entry><id>urn:1</id><title>" + title + "</title><link href='https://a.example/1'/><updated>2026-01-01T00:00:00Z</updated><content type='html'><![CDATA[" +
         content + "]]></content></entry>";
}

TEST_F(SourcesTest, AnEditTellsWhatItChanged) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body(kFeedHead + AtomEntry("Old title", "<p>First stays.</p><p>Second goes.</p>") + "</feed>"));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  server_.Serve("/feed", Body(kFeedHead + AtomEntry("New title", "<p>First stays.</p><p>Third comes.</p>") + "</feed>"));
  Advance(kMinute);
  ASSERT_THAT(Articles(), SizeIs(2));
  EXPECT_FALSE(Articles()[0].has_edit());
  const v1::Article revision = Articles()[1];
  EXPECT_EQ(revision.id(), Articles()[0].id());
  EXPECT_EQ(revision.edit().title_before(), "Old title");
  EXPECT_EQ(revision.edit().removed_paragraphs(), 1u);
  ASSERT_EQ(revision.edit().added_size(), 1);
  EXPECT_EQ(revision.text().substr(revision.edit().added(0).start(), revision.edit().added(0).length()), "Third comes.");
}

TEST_F(SourcesTest, ADeletedEntryIsWithdrawnOnceAndComesBackWhenCarriedAgain) {
  config_.set_fetch_pages(false);
  const std::string entry = AtomEntry("Title", "<p>Text.</p>");
  server_.Serve("/feed", Body(kFeedHead + entry + "</feed>"));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  const std::string gone = "<at:deleted-entry ref='urn:1' when='2026-01-02T00:00:00Z'/><at:deleted-entry ref='urn:unknown' when='2026-01-02T00:00:00Z'/>";
  server_.Serve("/feed", Body(kFeedHead + gone + "</feed>"));
  Advance(kMinute);
  server_.Serve("/feed", Body(kFeedHead + gone + " </feed>"));
  Advance(kMinute);
  ASSERT_THAT(Articles(), SizeIs(2));
  const v1::Article tombstone = Articles()[1];
  EXPECT_EQ(tombstone.id(), Articles()[0].id());
  EXPECT_TRUE(tombstone.withdrawn());
  EXPECT_NE(Records()[1].FindHeader("withdrawn"), nullptr);
  EXPECT_TRUE(tombstone.redacted());
  EXPECT_EQ(tombstone.text() + tombstone.title(), "");
  ExpectBalanced();
  server_.Serve("/feed", Body(kFeedHead + AtomEntry("Title", "<p>Text, again.</p>") + "</feed>"));
  Advance(kMinute);
  ASSERT_THAT(Articles(), SizeIs(3));
  EXPECT_FALSE(Articles()[2].withdrawn());
}

TEST_F(SourcesTest, ATakenDownArticleIsNotSentAgain) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  int status = 0;
  EXPECT_THAT(Post("/api/v1/takedown/seen?url=http%3A%2F%2Fwww.a.example%2F1%3Futm_source%3Dx", "", &status), HasSubstr("true"));
  EXPECT_EQ(status, 200);
  Post("/api/v1/takedown/seen?url=nonsense", "", &status);
  EXPECT_EQ(status, 400);
  EXPECT_THAT(Post("/api/v1/takedown/seen?url=https%3A%2F%2Fa.example%2F2", "", &status), HasSubstr("false"));
  Restart();
  server_.Serve("/feed", Body(Rss({{"One, edited", "https://a.example/1"}, {"Two", "https://a.example/2"}, {"Three", "https://a.example/3"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), ElementsAre("One", "Three"));
  EXPECT_EQ(Counts().dropped["taken_down"], 2u);
  ExpectBalanced();
}

v1::Article BackfilledArticle(const std::string& id) {
  v1::Article article;
  article.set_id(id);
  article.set_title("History");
  article.set_content_hash("0123456789abcdef");
  article.set_lane(v1::LANE_BACKFILL);
  article.mutable_fetched_at()->set_seconds(1'700'000'000);
  return article;
}

TEST_F(SourcesTest, APostedBackfillIsDeliveredToItsOwnTopicBeforeTheAnswer) {
  server_.Serve("/feed", Body(Rss({})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  v1::BackfillBatch batch;
  *batch.add_articles() = BackfilledArticle(std::string(32, 'a'));
  auto& reject = *batch.add_rejects();
  reject.set_where("old.csv:7");
  reject.set_reason("bad_line");
  reject.set_detail("3 fields where the header has 4");
  reject.set_original("a,b,c");
  int status = 0;
  EXPECT_EQ(Post("/api/v1/backfill", batch.SerializeAsString(), &status), "{\"delivered\":2}\n");
  EXPECT_EQ(status, 200);
  EXPECT_THAT(log_.Records(std::string(base::kBackfillTopic)), SizeIs(1));
  EXPECT_THAT(Records(), IsEmpty());
  const auto letters = log_.Records(std::string(base::kDeadLetterTopic));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].value, "a,b,c");
  EXPECT_EQ(*letters[0].FindHeader("dlq.reason"), "bad_line");
  EXPECT_THAT(*letters[0].FindHeader("dlq.detail"), HasSubstr("old.csv:7"));
}

TEST_F(SourcesTest, AWrongBackfillIsRefusedAsAWhole) {
  server_.Serve("/feed", Body(Rss({})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  int status = 0;
  Post("/api/v1/backfill", "nonsense", &status);
  EXPECT_EQ(status, 400);
  v1::BackfillBatch batch;
  *batch.add_articles() = BackfilledArticle(std::string(32, 'a'));
  *batch.add_articles() = BackfilledArticle("short");
  Post("/api/v1/backfill", batch.SerializeAsString(), &status);
  EXPECT_EQ(status, 400);
  batch.mutable_articles(1)->set_id(std::string(32, 'b'));
  batch.mutable_articles(1)->set_lane(v1::LANE_LIVE);  // history may not pass for news
  Post("/api/v1/backfill", batch.SerializeAsString(), &status);
  EXPECT_EQ(status, 400);
  EXPECT_THAT(log_.Records(std::string(base::kBackfillTopic)), IsEmpty());
}

TEST_F(SourcesTest, ABackfillBeyondItsQuotaHasToWait) {
  config_.set_backfill_per_s_max(1);
  server_.Serve("/feed", Body(Rss({})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  v1::BackfillBatch batch;
  for (const char c : {'a', 'b', 'c'}) *batch.add_articles() = BackfilledArticle(std::string(32, c));
  int status = 0;
  Post("/api/v1/backfill", batch.SerializeAsString(), &status);
  EXPECT_EQ(status, 200);
  Post("/api/v1/backfill", batch.SerializeAsString(), &status);
  EXPECT_EQ(status, 429);
  EXPECT_EQ(Metric("racewatch_ingest_backfill_total", {{"outcome", "sent"}}), 3);
}

}  // namespace
}  // namespace racewatch::ingest
