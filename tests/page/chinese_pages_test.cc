// Ninety-six Chinese pages of our own: eight articles in twelve layouts, in simplified and traditional characters, as UTF-8,
// GBK, GB18030 and Big5, labelled, wrongly labelled and not at all. Scored by characters, since Chinese has no spaces to count words by.
#include <gtest/gtest.h>
#include <unicode/translit.h>
#include <unicode/ucnv.h>
#include <unicode/unistr.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/page/page_extractor.h"

namespace racewatch::ingest {
namespace {

struct Article {
  std::string title, author, day;
  std::vector<std::string> paragraphs;
};

std::vector<Article> ReadArticles() {
  std::ifstream in(RACEWATCH_SOURCE_DIR "/tests/page/chinese/articles.txt");
  std::vector<Article> articles;
  std::string line;
  for (size_t place = 0; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      place = 0;
      continue;
    }
    if (place == 0) articles.emplace_back();
    Article& article = articles.back();
    if (place == 0) article.title = line;
    else if (place == 1) article.author = line;
    else if (place == 2) article.day = line;
    else article.paragraphs.push_back(line);
    ++place;
  }
  return articles;
}

std::string Traditional(const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  static const std::unique_ptr<icu::Transliterator> kTable(icu::Transliterator::createInstance("Simplified-Traditional", UTRANS_FORWARD, error));
  icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
  if (kTable) kTable->transliterate(unicode);
  std::string out;
  unicode.toUTF8String(out);
  return out;
}

std::string Encoded(const std::string& text, const char* charset) {
  UErrorCode error = U_ZERO_ERROR;
  std::string out(text.size() * 4 + 16, '\0');
  const int32_t length = ucnv_convert(charset, "UTF-8", out.data(), static_cast<int32_t>(out.size()), text.data(), static_cast<int32_t>(text.size()), &error);
  EXPECT_TRUE(U_SUCCESS(error)) << charset;
  out.resize(static_cast<size_t>(length));
  return out;
}

std::string Joined(const Article& article, const std::string& before, const std::string& after) {
  std::string out;
  for (const std::string& paragraph : article.paragraphs) out += before + paragraph + after;
  return out;
}

// What surrounds the article: none of it belongs to the text.
std::string Navigation() {
  std::string out = "<div class='nav'><ul>";
  for (const char* name : {"首页", "国内", "国际", "财经", "科技", "体育", "娱乐", "教育", "视频", "图片", "专题", "论坛"})
    out += std::string("<li><a href='/") + name + "/'>" + name + "</a></li>";
  return out + "</ul></div>";
}

std::string Related() {
  std::string out = "<div class='related-news'><h3>相关阅读</h3><ul>";
  for (const char* title : {"本市今日起调整公交线路", "专家谈如何挑选空气净化器", "周末天气晴好适合出游", "这五种水果不宜空腹食用", "新赛季首轮爆出冷门"})
    out += std::string("<li><a href='/n/") + title + ".html'>" + title + "</a></li>";
  return out + "</ul></div>";
}

std::string Share() {
  return "<div class='share'>分享到：<a href='#'>微信</a> <a href='#'>微博</a> <a href='#'>QQ空间</a> <a href='#'>复制链接</a></div>";
}

std::string Footer() {
  return "<div class='footer'><p>关于我们 | 联系方式 | 广告服务 | 版权声明 | 网站地图</p><p>网络出版服务许可证 京备00000000号 违法和不良信息举报电话 010-00000000</p></div>";
}

std::string Comments() {
  return "<div class='comments'><h4>网友评论</h4><div class='comment-item'>海边的风：说得好，支持一下。</div><div class='comment-item'>过客：我觉得还要再看看。</div></div>";
}

struct Layout {
  const char* name;
  const char* charset;  // of the bytes
  const char* label;    // what the page calls them; empty: nothing
  bool traditional;
  std::string (*body)(const Article&);
};

std::string Portal(const Article& a) {
  return Navigation() + "<div class='main'><h1>" + a.title + "</h1><div class='article-info'>" + a.day + " 08:30 来源：南湾网 作者：" + a.author +
         "</div><div class='article-content'>" + Joined(a, "<p>　　", "</p>") + "</div><div class='editor'>责任编辑：王小编</div></div>" + Share() + Related() + Footer();
}

std::string Breaks(const Article& a) {  // paragraphs by line breaks, as old systems write them
  return Navigation() + "<table width='960'><tr><td width='700'><h2>" + a.title + "</h2><div id='zoom'>" + Joined(a, "　　", "<br><br>") +
         "</div></td><td width='260'>" + Related() + "</td></tr></table>" + Footer();
}

std::string Semantic(const Article& a) {
  return "<header>" + Navigation() + "</header><main><article><h1>" + a.title + "</h1><p class='byline'><span class='author'>" + a.author + "</span> <time datetime='" + a.day +
         "'>" + a.day + "</time></p>" + Joined(a, "<p>", "</p>") + "</article><aside>" + Related() + "</aside></main><footer>" + Footer() + "</footer>";
}

std::string Divs(const Article& a) {
  return "<div class='wrap'>" + Navigation() + "<div class='l'><div class='tit'><h1>" + a.title + "</h1></div><div class='txt'>" + Joined(a, "<div>", "</div>") + "</div>" + Share() +
         Comments() + "</div><div class='r'>" + Related() + "</div></div>" + Footer();
}

std::string Messenger(const Article& a) {
  return "<div id='img-content'><h1 class='rich_media_title'>" + a.title + "</h1><div id='meta_content'><span>" + a.author + "</span><em>" + a.day +
         "</em></div><div class='rich_media_content' id='js_content'>" + Joined(a, "<section><p><span style='font-size:16px'>", "</span></p></section>") +
         "</div></div><div class='qr_code'>微信扫一扫 关注该公众号</div>";
}

std::string Pictures(const Article& a) {
  std::string body;
  for (size_t i = 0; i < a.paragraphs.size(); ++i)
    body += "<p>" + a.paragraphs[i] + "</p>" + (i == 0 ? "<figure><img src='/p.jpg'></figure>" : "");
  return Navigation() + "<div class='detail'><h1>" + a.title + "</h1>" + body + "</div>" + Share() + Related() + Comments() + Footer();
}

std::vector<Layout> Layouts() {
  return {{"portal", "UTF-8", "utf-8", false, Portal},       {"portal_gbk", "GBK", "gb2312", false, Portal},
          {"portal_unlabelled", "GBK", "", false, Portal},   {"breaks_gbk", "GBK", "gbk", false, Breaks},
          {"breaks_big5", "Big5", "big5", true, Breaks},     {"semantic", "UTF-8", "utf-8", false, Semantic},
          {"semantic_tw", "UTF-8", "utf-8", true, Semantic}, {"divs_18030", "GB18030", "gb18030", false, Divs},
          {"divs_tw", "UTF-8", "", true, Divs},              {"messenger", "UTF-8", "utf-8", false, Messenger},
          {"pictures", "UTF-8", "gb2312", false, Pictures},  {"pictures_big5", "Big5", "", true, Pictures}};
}

std::string Html(const Article& article, const Layout& layout) {
  const std::string label = *layout.label == '\0' ? "" : std::string("<meta http-equiv='Content-Type' content='text/html; charset=") + layout.label + "'>";
  return "<!DOCTYPE html><html><head>" + label + "<title>" + article.title + "_社会频道_南湾网</title></head><body>" + layout.body(article) + "</body></html>";
}

// Counts of each character that is not white space.
std::map<char32_t, int> Characters(const std::string& text) {
  std::map<char32_t, int> out;
  const icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
  for (int32_t i = 0; i < unicode.length(); i = unicode.moveIndex32(i, 1))
    if (const UChar32 c = unicode.char32At(i); c > 0x20 && c != 0x3000) ++out[static_cast<char32_t>(c)];
  return out;
}

double F1(const std::string& got, const std::string& want) {
  const auto a = Characters(got), b = Characters(want);
  double hits = 0, got_all = 0, want_all = 0;
  for (const auto& [c, n] : a) got_all += n;
  for (const auto& [c, n] : b) {
    want_all += n;
    if (const auto it = a.find(c); it != a.end()) hits += std::min(n, it->second);
  }
  return hits == 0 ? 0 : 2 * hits / (got_all + want_all);
}

TEST(ChinesePages, TextsTitlesAndDatesAreFoundByCharacters) {
  const std::vector<Article> articles = ReadArticles();
  ASSERT_EQ(articles.size(), 8u);
  size_t pages = 0, titles = 0, dated = 0, dates = 0;
  double sum = 0;
  for (const Layout& layout : Layouts()) {
    double of_layout = 0;
    for (Article article : articles) {
      std::string html = Html(article, layout);
      std::string want = Joined(article, "", "");
      if (layout.traditional) {
        html = Traditional(html);
        want = Traditional(want);
        article.title = Traditional(article.title);
      }
      if (std::string_view(layout.charset) != "UTF-8") html = Encoded(html, layout.charset);
      const auto page = ExtractPage(html, {});
      ASSERT_TRUE(page.ok()) << layout.name << ": " << page.status().ToString();
      const double f1 = F1(page->text, want);
      EXPECT_GE(f1, 0.9) << layout.name << ", " << article.title << ":\n" << page->text;
      of_layout += f1;
      ++pages;
      titles += page->title == article.title;
      const bool has_date = html.find(article.day) != std::string::npos;
      dated += has_date;
      dates += has_date && page->published && page->published->ToString().substr(0, 10) == article.day;
    }
    std::printf("%-18s F1 %.3f\n", layout.name, of_layout / static_cast<double>(articles.size()));
    sum += of_layout;
  }
  std::printf("%zu pages: mean F1 %.4f, %zu titles, %zu of %zu dates\n", pages, sum / static_cast<double>(pages), titles, dates, dated);
  EXPECT_GE(pages, 40u);
  EXPECT_GE(sum / static_cast<double>(pages), 0.96);
  EXPECT_GE(titles, pages * 85 / 100);
  EXPECT_GE(dates, dated * 88 / 100);
}

}  // namespace
}  // namespace racewatch::ingest
