// The mangler: copies of a good document, cut anywhere or with bare ampersands strewn in. Every
// entry that was closed before the damage must be found unharmed.
#include <gmock/gmock.h>

#include "ingest/feed/feed_json.h"
#include "tests/feed/feed_documents.h"

namespace racewatch::ingest {
namespace {

std::string BodyOf(int i) {
  return "<p>Chips &amp; rules no. " + std::to_string(i) +
         ", <a href=\"https://d.example/x?a=1&amp;b=2\">more</a>.</p>";
}

std::string Escaped(const std::string& html) {
  std::string out;
  for (const char c : html)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string RssDocument(int items) {
  std::string out;
  for (int i = 0; i < items; ++i) {
    const std::string n = std::to_string(i);
    const std::string body = i % 2 ? "<![CDATA[" + BodyOf(i) + "]]>" : Escaped(BodyOf(i));
    out += Item("<title>Story " + n + "</title><link>https://d.example/" + n +
                "</link><guid>https://d.example/" + n + "</guid><pubDate>Tue, 03 Nov 2026 09:15:0" +
                std::to_string(i % 10) + " GMT</pubDate><description>" + body + "</description>") +
           "\n";
  }
  return Rss(out);
}

std::string AtomDocument(int entries) {
  std::string out;
  for (int i = 0; i < entries; ++i) {
    const std::string n = std::to_string(i);
    out += Entry("<id>urn:" + n + "</id><title type=\"html\">Story " + n +
                 "</title><link href=\"https://d.example/" + n +
                 "\"/><updated>2026-11-03T09:15:00Z</updated><content type=\"xhtml\"><div "
                 "xmlns=\"http://www.w3.org/1999/xhtml\">" +
                 BodyOf(i) + "</div></content>");
  }
  return Atom(out);
}

std::string JsonOf(const FeedEntry& entry) {
  Feed feed;
  feed.entries.push_back(entry);
  std::string out;
  AppendFeedJson(feed, {}, &out);
  return out;
}

void ExpectClosedEntriesSurviveEveryCut(const std::string& whole, std::string_view end_tag) {
  const Feed full = MustParse(whole);
  std::vector<size_t> ends;
  for (size_t at = whole.find(end_tag); at != std::string::npos; at = whole.find(end_tag, at + 1))
    ends.push_back(at + end_tag.size());
  ASSERT_EQ(ends.size(), full.entries.size());
  for (size_t cut = ends[0]; cut < whole.size(); ++cut) {
    const Feed feed = MustParse(whole.substr(0, cut));
    const size_t closed =
        static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin());
    ASSERT_EQ(feed.entries.size(), closed) << "cut at " << cut;
    for (size_t i = 0; i < closed; ++i)
      ASSERT_EQ(JsonOf(feed.entries[i]), JsonOf(full.entries[i])) << "cut at " << cut;
  }
}

TEST(Mangler, EntriesClosedBeforeACutSurviveInRss) {
  ExpectClosedEntriesSurviveEveryCut(RssDocument(6), "</item>");
}

TEST(Mangler, EntriesClosedBeforeACutSurviveInAtom) {
  ExpectClosedEntriesSurviveEveryCut(AtomDocument(6), "</entry>");
}

bool InsideMark(const std::string& whole, size_t at) {
  for (const std::string_view mark : {"<![CDATA[", "]]>", "</", "<"}) {
    const size_t from = at + 1 >= mark.size() ? at + 1 - mark.size() : 0;
    const size_t found = whole.find(mark, from);
    if (found != std::string::npos && found <= at && at + 1 <= found + mark.size()) return true;
  }
  return false;
}

// A bare ampersand behind any byte, one at a time, names of tags included but not inside the marks
// of the syntax: no entry is lost, and those it is not in are unharmed.
void ExpectEntriesSurviveAmpersands(const std::string& whole) {
  const Feed full = MustParse(whole);
  size_t tried = 0;
  for (size_t at = whole.find("<title>"); at < whole.rfind("</"); ++at) {
    if (InsideMark(whole, at)) continue;
    ++tried;
    std::string mangled = whole;
    mangled.insert(at + 1, at % 2 ? "&" : "& ");
    const Feed feed = MustParse(mangled);
    ASSERT_EQ(feed.entries.size(), full.entries.size()) << "ampersand at " << at;
    size_t changed = 0;
    for (size_t i = 0; i < full.entries.size(); ++i)
      changed += JsonOf(feed.entries[i]) != JsonOf(full.entries[i]);
    ASSERT_LE(changed, 1u) << "ampersand at " << at;
  }
  EXPECT_GT(tried, whole.size() / 2);
}

TEST(Mangler, BareAmpersandsHarmOnlyTheirOwnEntryInRss) {
  ExpectEntriesSurviveAmpersands(RssDocument(5));
}

TEST(Mangler, BareAmpersandsHarmOnlyTheirOwnEntryInAtom) {
  ExpectEntriesSurviveAmpersands(AtomDocument(5));
}

TEST(Mangler, AnyByteMayBeLostWithoutLosingTheOtherEntries) {
  const std::string whole = RssDocument(5);
  const size_t first = whole.find("<item>");
  for (size_t at = first; at < whole.rfind("</item>"); ++at) {
    std::string mangled = whole;
    mangled.erase(at, 1);
    EXPECT_GE(MustParse(mangled).entries.size(), 3u) << "byte " << at << " lost";
  }
}

}  // namespace
}  // namespace racewatch::ingest
