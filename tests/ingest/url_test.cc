#include "ingest/url.h"

#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

std::string Canonical(std::string_view url) {
  const auto out = Canonicalize(url);
  return out ? out->url : "none";
}
std::string KeyOf(std::string_view url) {
  const auto out = Canonicalize(url);
  return out ? out->key : "none";
}

TEST(UrlTest, LowersTheHostAndDropsPortFragmentAndDotSegments) {
  EXPECT_EQ(Canonical("HTTPS://WWW.Example.COM:443/a/./b/../c#top"), "https://www.example.com/a/c");
  EXPECT_EQ(Canonical("http://example.com:80"), "http://example.com/");
  EXPECT_EQ(Canonical("http://example.com:8080/x"), "http://example.com:8080/x");
  EXPECT_EQ(Canonical("http://user:pw@example.com/x"), "http://example.com/x");
  EXPECT_EQ(Canonical("http://example.com./x"), "http://example.com/x");
  EXPECT_EQ(Canonical("  https://example.com/a b\n"), "https://example.com/a%20b");
  EXPECT_EQ(Canonical("//example.com/x"), "https://example.com/x");
}

TEST(UrlTest, KeepsTheCaseAndTheSlashOfThePath) {
  EXPECT_EQ(Canonical("https://example.com/News/A/"), "https://example.com/News/A/");
  EXPECT_NE(KeyOf("https://example.com/a"), KeyOf("https://example.com/A"));
}

TEST(UrlTest, NormalisesPercentEscapes) {
  EXPECT_EQ(Canonical("https://example.com/%7euser/%e4%b8%ad"), "https://example.com/~user/%E4%B8%AD");
  EXPECT_EQ(Canonical("https://example.com/中"), "https://example.com/%E4%B8%AD");
  EXPECT_EQ(Canonical("https://example.com/a%2Fb"), "https://example.com/a%2Fb");
  EXPECT_EQ(Canonical("https://example.com/100%"), "https://example.com/100%25");
}

TEST(UrlTest, WritesInternationalHostsAsPunycode) {
  EXPECT_EQ(Canonical("https://BÜCHER.example/x"), "https://xn--bcher-kva.example/x");
  EXPECT_EQ(Canonical("https://新闻.example/"), Canonical("https://xn--efvy88h.example/"));
}

TEST(UrlTest, DropsTrackingAndKeepsWhatNamesTheArticle) {
  EXPECT_EQ(Canonical("https://example.com/a?utm_source=x&id=7&fbclid=1&GCLID=2&page=2"), "https://example.com/a?id=7&page=2");
  EXPECT_EQ(Canonical("https://example.com/a?source=rss&id=1"), "https://example.com/a?id=1");
  EXPECT_EQ(Canonical("https://example.com/a?source=reuters"), "https://example.com/a?source=reuters");
  EXPECT_EQ(Canonical("https://example.com/a?"), "https://example.com/a");
  EXPECT_EQ(Canonical("https://example.com/a?b=1&&c=2"), "https://example.com/a?b=1&c=2");
}

TEST(UrlTest, MapsAmpAndMobilePagesToTheOrdinaryOne) {
  EXPECT_EQ(KeyOf("https://amp.example.com/a"), KeyOf("https://www.example.com/a"));
  EXPECT_EQ(KeyOf("https://m.example.com/a"), KeyOf("https://example.com/a"));
  EXPECT_EQ(Canonical("https://en.m.wikipedia.org/wiki/AI"), "https://en.wikipedia.org/wiki/AI");
  EXPECT_EQ(Canonical("https://example.com/a/amp/"), "https://example.com/a/");
  EXPECT_EQ(Canonical("https://example.com/a.amp.html"), "https://example.com/a.html");
  EXPECT_EQ(Canonical("https://example.com/a?amp=1"), "https://example.com/a");
  EXPECT_EQ(Canonical("https://example.com/a?outputType=amp&id=3"), "https://example.com/a?id=3");
  EXPECT_EQ(Canonical("https://www.google.com/amp/s/www.example.com/a"), "https://www.example.com/a");
  EXPECT_EQ(Canonical("https://www-example-com.cdn.ampproject.org/c/s/www.example.com/a"), "https://www.example.com/a");
  EXPECT_EQ(Canonical("https://m.com/a"), "https://m.com/a");  // the label is the domain itself
}

TEST(UrlTest, ACanonicalAddressIsItsOwnCanonicalAddress) {
  for (const char* url : {"https://example.com/amp/amp//b/amp", "https://example.com/a/amp/amp/", "https://example.com/a.amp.amp",
                          "https://example.com/b/..amp", "https://m.amp.m.example.com/a", "https://m.en.m.example.com/a",
                          "https://www.google.com/amp/s/www.google.com/amp/s/example.com/a", "https://www.google.com/amp/"}) {
    const std::string once = Canonical(url);
    EXPECT_NE(once, "none") << url;
    EXPECT_EQ(Canonical(once), once) << url;
  }
  EXPECT_EQ(Canonical("https://example.com/amp/amp//b/amp"), "https://example.com//b");
  EXPECT_EQ(Canonical("https://m.amp.m.example.com/a"), "https://example.com/a");
  EXPECT_EQ(Canonical("https://www.google.com/amp/s/www.google.com/amp/s/example.com/a"), "https://example.com/a");
}

TEST(UrlTest, TheKeyLeavesOutSchemeAndWww) {
  EXPECT_EQ(KeyOf("http://www.example.com/a"), "example.com/a");
  EXPECT_EQ(KeyOf("https://example.com/a"), "example.com/a");
}

TEST(UrlTest, RefusesWhatIsNoWebAddress) {
  for (const char* url : {"", "mailto:a@b.c", "file:/etc/passwd", "javascript:alert(1)", "http://", "https:///a", "example.com/a",
                          "http://exa mple.com/", "http://a:b:c/"})
    EXPECT_EQ(Canonical(url), "none") << url;
  EXPECT_EQ(Canonical("https://example.com/" + std::string(1'000'000, 'a')), "none");
}

TEST(UrlTest, FindsTheRegistrableDomain) {
  EXPECT_EQ(RegistrableDomain("news.bbc.co.uk"), "bbc.co.uk");
  EXPECT_EQ(RegistrableDomain("www.people.com.cn"), "people.com.cn");
  EXPECT_EQ(RegistrableDomain("Example.COM"), "example.com");
  EXPECT_EQ(RegistrableDomain("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(RegistrableDomain("localhost"), "localhost");
  EXPECT_EQ(RegistrableDomain("co.uk"), "co.uk");
}

TEST(UrlTest, ReadsFilePaths) {
  EXPECT_EQ(FilePath("file:/a/b.xml"), "/a/b.xml");
  EXPECT_EQ(FilePath("file:///a/b%20c.xml"), "/a/b c.xml");
  EXPECT_EQ(FilePath("file://localhost/a"), "/a");
  EXPECT_EQ(FilePath("file:rel/b.xml"), "rel/b.xml");
  EXPECT_EQ(FilePath("https://example.com/"), std::nullopt);
}

}  // namespace
}  // namespace racewatch::ingest
