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
TEST(Walls, AreKnownInTheLanguagesOfNews) {
  for (const char* text : {"Wir und unsere Partner verarbeiten personenbezogene Daten. Alle akzeptieren. Alle ablehnen.",
                           "Nous et nos partenaires utilisons des cookies. Tout accepter ou continuer sans accepter.",
                           "Nosotros y nuestros socios usamos cookies. Aceptar y continuar. Rechazar todo.",
                           "Nós e nossos parceiros usamos cookies. Aceitar todos. Rejeitar todos.", "Noi e i nostri partner usiamo cookie. Accetta. Rifiuta tutto.",
                           "Мы обрабатываем персональные данные и файлы cookie. Принять все. Отклонить все.", "当サイトはクッキーを使用します。すべて許可、すべて拒否。",
                           "쿠키와 개인정보를 처리합니다. 모두 동의. 모두 거부.", "نحن نهتم بالخصوصية. قبول الكل. رفض الكل.", "我们重视您的隐私。全部接受。全部拒绝。"})
    EXPECT_TRUE(Extract(Document("<title>Zeitung</title>", "<p>" + std::string(text) + "</p>")).consent_wall) << text;
  for (const char* text : {"Dieser Artikel ist nur für Abonnenten.", "Article réservé aux abonnés.", "Contenido exclusivo para suscriptores.",
                           "Conteúdo exclusivo para assinantes.", "Articolo riservato agli abbonati.", "Материал доступен ТОЛЬКО ДЛЯ ПОДПИСЧИКОВ.",
                           "この記事は有料会員限定です。", "이 기사는 구독자 전용입니다.", "هذا المقال للمشتركين فقط", "本文為訂戶專享"})
    EXPECT_TRUE(Extract(Document("", Paragraphs(1, 2) + "<p>" + text + "</p>")).paywalled) << text;
  for (const char* text : {"Bitte bestätigen Sie, dass Sie ein Mensch sind.", "Vérifiez que vous êtes humain.", "No soy un robot", "Não sou um robô", "Non sono un robot",
                           "Подтвердите, что вы человек.", "私はロボットではありません", "로봇이 아닙니다", "我不是机器人"})
    EXPECT_TRUE(Extract(Document("<title>Zeitung</title>", "<p>" + std::string(text) + "</p>")).captcha) << text;
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
