#include "ingest/feed/html_scan.h"

#include <algorithm>
#include <array>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"

namespace racewatch::ingest::feed {
namespace {

constexpr size_t kTagBytesMax = size_t{1}
                                << 20;  // data: images in attributes are long; more is no tag
constexpr size_t kElementNameMax = 12;

// Sorted for binary search.
constexpr auto kHtmlElements = std::to_array<std::string_view>({
    "a",        "abbr",   "acronym",    "address",  "applet",   "area",     "article",
    "aside",    "audio",  "b",          "base",     "basefont", "bdi",      "bdo",
    "big",      "blink",  "blockquote", "body",     "br",       "button",   "canvas",
    "caption",  "center", "cite",       "code",     "col",      "colgroup", "data",
    "datalist", "dd",     "del",        "details",  "dfn",      "dialog",   "dir",
    "div",      "dl",     "dt",         "em",       "embed",    "fieldset", "figcaption",
    "figure",   "font",   "footer",     "form",     "frame",    "frameset", "h1",
    "h2",       "h3",     "h4",         "h5",       "h6",       "head",     "header",
    "hr",       "html",   "i",          "iframe",   "img",      "input",    "ins",
    "kbd",      "label",  "legend",     "li",       "link",     "main",     "map",
    "mark",     "math",   "menu",       "meta",     "meter",    "nav",      "nobr",
    "noscript", "object", "ol",         "optgroup", "option",   "output",   "p",
    "param",    "path",   "picture",    "pre",      "progress", "q",        "rp",
    "rt",       "ruby",   "s",          "samp",     "script",   "section",  "select",
    "small",    "source", "span",       "strike",   "strong",   "style",    "sub",
    "summary",  "sup",    "svg",        "table",    "tbody",    "td",       "template",
    "textarea", "tfoot",  "th",         "thead",    "time",     "title",    "tr",
    "track",    "tt",     "u",          "ul",       "var",
});
static_assert(std::is_sorted(kHtmlElements.begin(), kHtmlElements.end()));

}  // namespace

HtmlTag ReadHtmlTag(std::string_view html, size_t at) {
  HtmlTag tag;
  size_t i = at + 1;
  if (i < html.size() && html[i] == '/') {
    tag.closing = true;
    ++i;
  }
  if (i >= html.size() || !IsAlpha(html[i])) return tag;
  const size_t name = i;
  while (i < html.size() &&
         (IsAlnum(html[i]) || html[i] == ':' || html[i] == '-' || html[i] == '_'))
    ++i;
  tag.name = html.substr(name, i - name);
  const size_t rest = i;
  const std::string_view seen = html.substr(0, std::min(html.size(), at + kTagBytesMax));
  for (i = FindTagByte(seen, i); i < seen.size() && html[i] != '>'; i = FindTagByte(seen, i + 1)) {
    if (html[i] == '<') return HtmlTag();  // no tag goes over another
    if (i > rest && (html[i - 1] == '=' || IsSpace(html[i - 1])))
      i = FindByte(seen, html[i], i + 1);
  }
  if (i >= seen.size()) return HtmlTag();
  tag.self_closing = i > rest && html[i - 1] == '/';
  tag.attributes = Trim(html.substr(rest, i - rest - (tag.self_closing ? 1 : 0)));
  tag.length = i + 1 - at;
  return tag;
}

bool NextHtmlAttribute(std::string_view* rest, HtmlAttribute* attribute) {
  std::string_view s = *rest;
  while (!s.empty() && (IsSpace(s[0]) || s[0] == '/' || s[0] == '=' || s[0] == '"' || s[0] == '\''))
    s.remove_prefix(1);
  if (s.empty()) return false;
  size_t i = 0;
  while (i < s.size() && !IsSpace(s[i]) && s[i] != '=' && s[i] != '/' && s[i] != '"' &&
         s[i] != '\'')
    ++i;
  *attribute = {s.substr(0, i), {}, false};
  while (i < s.size() && IsSpace(s[i])) ++i;
  if (i < s.size() && s[i] == '=') {
    ++i;
    while (i < s.size() && IsSpace(s[i])) ++i;
    attribute->has_value = true;
    size_t begin = i, end = i;
    if (i < s.size() && (s[i] == '"' || s[i] == '\'')) {
      begin = i + 1;
      end = FindByte(s, s[i], begin);
      i = std::min(end + 1, s.size());
    } else {
      while (end < s.size() && !IsSpace(s[end])) ++end;
      i = end;
    }
    attribute->value = s.substr(begin, end - begin);
  }
  *rest = s.substr(i);
  return true;
}

size_t SkipHtmlDeclaration(std::string_view html, size_t at) {
  const char next = at + 1 < html.size() ? html[at + 1] : '\0';
  if (next != '!' && next != '?') return 0;
  if (html.compare(at, 4, "<!--") == 0) {
    const size_t end = FindMark(html, "-->", 2, at + 2);
    return end < html.size() ? end + 3 - at : html.size() - at;
  }
  if (html.compare(at, 9, "<![CDATA[") == 0) return 9;
  for (size_t i = at + 2; i < html.size(); ++i) {
    if (html[i] == '<') return 0;
    if (html[i] == '>') return i + 1 - at;
  }
  return 0;
}

size_t SkipRawText(std::string_view html, std::string_view name, size_t from) {
  for (size_t at = FindMark(html, "</", 1, from); at < html.size();
       at = FindMark(html, "</", 1, at + 2)) {
    if (!StartsWithIgnoreCase(html.substr(at + 2), name)) continue;
    const size_t end = FindByte(html, '>', at);
    return std::min(end + 1, html.size());
  }
  return html.size();
}

bool IsHtmlElement(std::string_view name) {
  if (name.empty() || name.size() > kElementNameMax) return false;
  char low[kElementNameMax];
  for (size_t i = 0; i < name.size(); ++i) low[i] = ToLower(name[i]);
  return std::binary_search(kHtmlElements.begin(), kHtmlElements.end(),
                            std::string_view(low, name.size()));
}

bool IsVoidElement(std::string_view name) {
  for (const std::string_view known : {"br", "img", "hr", "input", "meta", "link", "area", "base",
                                       "col", "embed", "param", "source", "track", "wbr"})
    if (EqualsIgnoreCase(known, name)) return true;
  return false;
}

}  // namespace racewatch::ingest::feed
