#include "ingest/feed/text_type.h"

#include <simdjson.h>

#include <algorithm>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"
#include "ingest/feed/html_scan.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/sanitise.h"

namespace racewatch::ingest::feed {
namespace {

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (IsDigit(c)) return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

// Empty when the text is no base64 or does not decode to UTF-8.
std::string DecodeBase64(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (IsSpace(c)) continue;
    if (c == '=') break;
    const int value = Base64Value(c);
    if (value < 0) return {};
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> count) & 0xFF));
    }
  }
  return simdjson::validate_utf8(out.data(), out.size()) ? out : std::string();
}

TextType::Kind KindOfMime(std::string_view type) {
  type = Trim(type.substr(0, type.find(';')));
  if (EqualsIgnoreCase(type, "html") || EqualsIgnoreCase(type, "text/html"))
    return TextType::Kind::kHtml;
  if (EqualsIgnoreCase(type, "xhtml")) return TextType::Kind::kXhtml;
  if (type.ends_with("+xml") || type.ends_with("/xml")) return TextType::Kind::kXhtml;
  return TextType::Kind::kText;
}

// Media types other than text, html, xhtml and XML are base64 (RFC 4287, section 4.1.3.3).
bool IsBinaryMime(std::string_view type) {
  type = Trim(type);
  return type.find('/') != std::string_view::npos && !StartsWithIgnoreCase(type, "text/") &&
         !type.ends_with("xml");
}

}  // namespace

TextType ReadTextType(const std::vector<XmlAttribute>& attributes, TextType::Kind fallback) {
  TextType result{fallback, false, false};
  std::string_view mode;
  for (const XmlAttribute& attribute : attributes) {
    if (attribute.name == "mode") mode = Trim(attribute.value);
    if (attribute.name != "type" || Trim(attribute.value).empty()) continue;
    result.kind = KindOfMime(attribute.value);
    result.base64 = IsBinaryMime(attribute.value);
    result.explicit_type = !result.base64;
  }
  if (mode == "base64") result.base64 = true;
  if (mode == "escaped" && result.kind == TextType::Kind::kXhtml)
    result.kind = TextType::Kind::kHtml;
  return result;
}

bool LooksLikeHtml(std::string_view text) {
  bool evidence = false;
  for (size_t at = FindByte(text, '<', 0); at < text.size(); at = FindByte(text, '<', at + 1)) {
    const HtmlTag tag = ReadHtmlTag(text, at);
    if (tag.length == 0) continue;
    if (!IsHtmlElement(tag.name)) return false;
    evidence |= tag.closing || tag.self_closing || IsVoidElement(tag.name);
  }
  std::string ignored;
  for (size_t at = FindByte(text, '&', 0); !evidence && at < text.size();
       at = FindByte(text, '&', at + 1))
    evidence = DecodeReference(text.substr(at), nullptr, &ignored) > 0;
  return evidence;
}

std::string Collapse(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool blank = false;
  for (size_t at = 0; at < text.size();) {
    const size_t width = SpaceWidth(text, at);
    if (width == 0) {
      if (blank && !out.empty()) out.push_back(' ');
      out.push_back(text[at]);
    }
    blank = width > 0;
    at += std::max<size_t>(width, 1);
  }
  return out;
}

std::string PlainText(const ElementText& element, const TextType& type) {
  std::string decoded;
  std::string_view text = element.text;
  if (type.base64) {
    decoded = DecodeBase64(text);
    text = decoded;
  }
  const bool html = type.kind != TextType::Kind::kText || element.has_markup || LooksLikeHtml(text);
  return html ? HtmlToLine(text) : Collapse(text);
}

void AppendHtml(const ElementText& element, const TextType& type, std::string_view base,
                std::string* out) {
  std::string decoded;
  std::string_view text = element.text;
  if (type.base64) {
    decoded = DecodeBase64(text);
    text = Trim(decoded);
  }
  // Text said to be plain that holds references but no tag was escaped once too often.
  const bool may_be_html = !type.explicit_type || FindByte(text, '<', 0) >= text.size();
  const bool plain = type.kind == TextType::Kind::kText && !element.has_markup &&
                     !(may_be_html && LooksLikeHtml(text));
  if (plain) {
    AppendEscaped(text, out);
    return;
  }
  AppendSanitised(
      text, base,
      type.kind == TextType::Kind::kXhtml && !type.base64 ? Markup::kXml : Markup::kHtml, out);
}

}  // namespace racewatch::ingest::feed
