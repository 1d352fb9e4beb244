#include "ingest/page/walls.h"

#include <initializer_list>
#include <string>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// A wall is the page: more text than this and the phrase is only mentioned.
constexpr size_t kWallWordsMax = 350;
constexpr size_t kShellWordsMax = 60;
constexpr size_t kCutTextWordsMax = 400;  // what a paywall lets through is shorter

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
  const bool subject = Has(lower, {"cookie", "personal data", "your privacy", "privacy policy", "tracking", "datenschutz", "personenbezogene", "données personnelles",
                                   "vie privée", "datos personales", "privacidad", "privacidade", "dati personali", "dados pessoais", "персональны",
                                   "конфиденциальност", "隐私", "隱私", "クッキー", "個人情報", "쿠키", "개인정보", "الخصوصية", "تعريف الارتباط", "çerez", "ciasteczk"});
  const int choices = CountOf(lower, {"accept all", "reject all", "i agree", "i accept", "accept cookies", "manage options", "manage settings",
                                      "manage preferences", "accept and continue", "agree and continue", "alle akzeptieren",
                                      "zustimmen", "tout accepter", "aceptar todo", "accetta", "consent", "before you continue",
                                      "our partners", "your choices", "legitimate interest", "同意", "alle ablehnen", "akzeptieren und weiter", "unsere partner",
                                      "werbung weiterlesen", "einstellungen verwalten", "tout refuser", "accepter et continuer", "continuer sans accepter",
                                      "accepter et fermer", "nos partenaires", "rechazar todo", "aceptar y continuar", "nuestros socios", "rifiuta tutto",
                                      "continua senza accettare", "nostri partner", "aceitar todos", "rejeitar todos", "aceitar e continuar", "nossos parceiros",
                                      "принять все", "отклонить все", "нашими партнерами", "согласен", "すべて許可", "すべて拒否", "모두 동의", "모두 거부", "قبول الكل", "رفض الكل",
                                      "alles accepteren", "alles weigeren", "onze partners", "zaakceptuj wszystkie", "odrzuć wszystkie", "tümünü kabul et",
                                      "tümünü reddet", "全部接受", "全部拒绝", "全部拒絕"});
  const bool titled = Has(title, {"consent", "cookie", "privacy", "before you continue", "bevor sie", "avant de continuer", "antes de continuar", "prima di continuare",
                                  "datenschutz"});
  return subject && choices >= (titled ? 1 : 2);
}

bool IsCaptcha(std::string_view lower, std::string_view title, size_t words) {
  if (words > kWallWordsMax) return false;
  if (Has(title, {"just a moment", "attention required", "access denied", "are you a robot", "robot check", "captcha", "security check",
                  "pardon our interruption", "human verification", "安全验证", "人机验证"}))
    return true;
  return Has(lower, {"verify you are human", "verifying you are human", "are not a robot", "checking your browser before",
                     "checking if the site connection is secure", "complete the captcha", "unusual traffic from your",
                     "enable javascript and cookies to continue", "press & hold to confirm", "请完成安全验证", "请输入验证码", "請完成安全驗證", "我不是机器人",
                     "我不是機器人", "dass sie ein mensch sind", "ich bin kein roboter", "que vous êtes humain", "vous êtes un être humain", "ne suis pas un robot",
                     "que eres humano", "que es un ser humano", "no soy un robot", "não sou um robô", "que você é humano", "di essere umano", "non sono un robot",
                     "что вы человек", "я не робот", "ロボットではありません", "로봇이 아닙니다", "لست روبوت", "geen robot", "nie jestem robotem", "robot değilim"});
}

bool IsPaywalled(std::string_view lower, const JsonLdArticle& jsonld, size_t article_words) {
  if (jsonld.not_free) return true;
  if (article_words > kCutTextWordsMax) return false;
  return Has(lower, {"subscribe to continue reading", "subscribe to read", "to continue reading, subscribe", "subscribe to unlock",
                     "this article is for subscribers", "this content is for subscribers", "subscribers only", "subscriber-only",
                     "to read the full story", "to read the full article", "to read this article in full", "create an account to read",
                     "register to continue reading", "sign in to continue reading", "log in to continue reading",
                     "become a member to read", "you have reached your limit of free articles", "unlock this article",
                     "already a subscriber?", "continue reading with a subscription", "订阅后继续阅读", "付费阅读", "訂閱後繼續閱讀",
                     "会员专享", "剩余内容需要付费", "登录后阅读全文", "付費閱讀", "訂戶專享", "會員專屬", "登入後閱讀全文",
                     "nur für abonnenten", "exklusiv für abonnenten", "artikel freischalten", "mit einem abo weiterlesen", "abonnieren und weiterlesen", "bereits abonnent?",
                     "réservé aux abonnés", "réservé à nos abonnés", "abonnez-vous pour lire", "de cet article à lire", "déjà abonné", "solo para suscriptores",
                     "exclusivo para suscriptores", "para seguir leyendo", "ya eres suscriptor", "exclusivo para assinantes", "assine para continuar", "já é assinante",
                     "riservato agli abbonati", "per continuare a leggere", "sei già abbonato", "только для подписчиков", "только по подписке", "оформите подписку",
                     "有料会員限定", "会員限定記事", "続きを読むには", "구독자 전용", "유료 회원 전용", "للمشتركين فقط", "لمتابعة القراءة", "alleen voor abonnees",
                     "exclusief voor abonnees", "tylko dla prenumeratorów", "abonelere özel"});
}

}  // namespace

void RecogniseWalls(const Tree& tree, const Blocks& blocks, const JsonLdArticle& jsonld, std::string_view url, Page* page) {
  size_t words = 0;
  for (const Block& block : blocks.list) words += block.words;
  const size_t article_words = CountWords(page->text);
  // A long text is behind no wall; what is no longer than one is looked at closely.
  const bool look = words <= kWallWordsMax || article_words <= kCutTextWordsMax;
  const std::string lower = look ? LowerUnicode(Prefix(blocks.text, 60000)) : std::string();
  const std::string title = LowerUnicode(page->title);
  page->captcha = IsCaptcha(lower, title, words);
  page->consent_wall = !page->captcha && IsConsentWall(lower, title, url, words) && article_words < kWallWordsMax;
  page->paywalled = !page->captcha && !page->consent_wall && IsPaywalled(lower, jsonld, article_words);
  page->empty_shell = !page->captcha && !page->consent_wall && words < kShellWordsMax && article_words < kShellWordsMax / 2 &&
                      tree.script_bytes + tree.elements > 0 && page->text.empty();
}

}  // namespace racewatch::ingest::page
