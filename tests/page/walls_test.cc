#include <gtest/gtest.h>

#include "tests/page/page_documents.h"

namespace racewatch::ingest {
namespace {

TEST(Walls, ConsentDialogueInsteadOfAnArticleIsRecognised) {
  const Page page = Extract(Document("<title>Before you continue</title>",
      "<h1>Your privacy</h1><p>We and our partners use cookies to store and access information on your device, and to measure our ads.</p>"
      "<button>Reject all</button><p>Choose accept all to agree, or manage options to see your choices in detail.</p>"));
  EXPECT_TRUE(page.consent_wall);
  EXPECT_FALSE(page.captcha);
}
TEST(Walls, ACookieBannerBesideAnArticleIsNoWall) {
  const Page page = Extract(Document("<title>Rivers rise</title>",
      "<div class='cookie-banner'><p>We use cookies. Accept all or reject all, or manage options; see our privacy policy.</p></div>" + Paragraphs(1, 20)));
  EXPECT_FALSE(page.consent_wall);
  EXPECT_EQ(page.text.find("cookies"), std::string::npos);
}
TEST(Walls, RobotCheckIsRecognised) {
  EXPECT_TRUE(Extract(Document("<title>Just a moment...</title>", "<p>Verifying you are human. This may take a few seconds.</p>")).captcha);
  EXPECT_TRUE(Extract(Document("<title>请稍候</title>", "<p>请完成安全验证后继续访问</p>")).captcha);
  EXPECT_FALSE(Extract(Document("<title>Why sites ask</title>", Paragraphs(1, 20) + "<p>They verify you are human.</p>")).captcha);
}
TEST(Walls, PaywallInTheMarkupOrTheTextIsRecognised) {
  EXPECT_TRUE(Extract(Document(R"(<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>)", Paragraphs(1, 30))).paywalled);
  EXPECT_TRUE(Extract(Document("", Paragraphs(1, 2) + "<p>Subscribe to continue reading this story.</p>")).paywalled);
  EXPECT_TRUE(Extract(Document("", Paragraphs(1, 2) + "<p>订阅后继续阅读</p>")).paywalled);
  EXPECT_FALSE(Extract(Document("", Paragraphs(1, 4))).paywalled);
}
TEST(Walls, EmptyShellIsRecognised) {
  const Page page = Extract("<html><head><script src=a.js></script></head><body><div id=root></div><script>boot()</script></body></html>");
  EXPECT_TRUE(page.empty_shell);
  EXPECT_EQ(page.text, "");
}
TEST(Walls, OrdinaryPageHasNone) {
  const Page page = Extract(Document("<title>Rivers rise</title>", Paragraphs(1, 6)));
  EXPECT_FALSE(page.paywalled || page.consent_wall || page.captcha || page.empty_shell);
}

}  // namespace
}  // namespace racewatch::ingest
