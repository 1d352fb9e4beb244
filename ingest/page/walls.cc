#include "ingest/page/walls.h"

#include <initializer_list>
#include <string>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// A wall is the page: more text than this and the phrase is only mentioned.
constexpr size_t kWallWordsMax = 350;
constexpr size_t kShellWordsMax = 60;

bool Has(std::string_view text, std::initializer_list<std::string_view> lower) {
  for (const std::string_view one : lower)
    if (text.find(one) != text.npos) return true;
  return false;
}

int CountOf(std::string_view text, std::initializer_list<std::string_view> lower) {
  int hits = 0;
  for (const std::string_view one : lower) hits += text.find(one) != text.npos;
  return hits;
}

bool IsConsentWall(std::string_view lower, std::string_view title, std::string_view url, size_t words) {
  if (Has(url, {"consent.yahoo", "consent.google", "guce.", "consent.youtube", "privacywall", "cookiewall"})) return true;
  if (words > kWallWordsMax) return false;
  const bool subject = Has(lower, {"cookie", "personal data", "your privacy", "privacy policy", "tracking", "隐私", "隱私"});
  const int choices = CountOf(lower, {"accept all", "reject all", "i agree", "i accept", "accept cookies", "manage options", "manage settings",
                                      "manage preferences", "accept and continue", "agree and continue", "alle akzeptieren",
                                      "zustimmen", "tout accepter", "aceptar todo", "accetta", "consent", "before you continue",
                                      "our partners", "your choices", "legitimate interest", "同意"});
  const bool titled = Has(title, {"consent", "cookie", "privacy", "before you continue", "datenschutz"});
  return subject && choices >= (titled ? 1 : 2);
}

bool IsCaptcha(std::string_view lower, std::string_view title, size_t words) {
  if (words > kWallWordsMax) return false;
  if (Has(title, {"just a moment", "attention required", "access denied", "are you a robot", "robot check", "captcha", "security check",
                  "pardon our interruption", "human verification", "安全验证", "人机验证"}))
    return true;
  return Has(lower, {"verify you are human", "verifying you are human", "are not a robot", "checking your browser before",
                     "checking if the site connection is secure", "complete the captcha", "unusual traffic from your",
                     "enable javascript and cookies to continue", "press & hold to confirm", "请完成安全验证", "请输入验证码"});
}

bool IsPaywalled(std::string_view lower, const JsonLdArticle& jsonld, size_t article_words) {
  if (jsonld.not_free) return true;
  if (article_words > 400) return false;
  return Has(lower, {"subscribe to continue reading", "subscribe to read", "to continue reading, subscribe", "subscribe to unlock",
                     "this article is for subscribers", "this content is for subscribers", "subscribers only", "subscriber-only",
                     "to read the full story", "to read the full article", "to read this article in full", "create an account to read",
                     "register to continue reading", "sign in to continue reading", "log in to continue reading",
                     "become a member to read", "you have reached your limit of free articles", "unlock this article",
                     "already a subscriber?", "continue reading with a subscription", "订阅后继续阅读", "付费阅读", "訂閱後繼續閱讀",
                     "会员专享", "剩余内容需要付费", "登录后阅读全文"});
}

}  // namespace

void RecogniseWalls(const Tree& tree, const Blocks& blocks, const JsonLdArticle& jsonld, std::string_view url, Page* page) {
  size_t words = 0;
  for (const Block& block : blocks.list) words += block.words;
  const size_t article_words = CountWords(page->text);
  const std::string lower = LowerAscii(std::string_view(blocks.text).substr(0, 60000));
  const std::string title = LowerAscii(page->title);
  page->captcha = IsCaptcha(lower, title, words);
  page->consent_wall = !page->captcha && IsConsentWall(lower, title, url, words) && article_words < kWallWordsMax;
  page->paywalled = !page->captcha && !page->consent_wall && IsPaywalled(lower, jsonld, article_words);
  page->empty_shell = !page->captcha && !page->consent_wall && words < kShellWordsMax && article_words < kShellWordsMax / 2 &&
                      tree.script_bytes + tree.elements > 0 && page->text.empty();
}

}  // namespace racewatch::ingest::page
