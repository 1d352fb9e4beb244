#include "ingest/feed/sanitise.h"

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_scan.h"
#include "ingest/feed/links.h"

namespace racewatch::ingest::feed {
namespace {

enum class Fate : unsigned char { kKeep, kDropTag, kDropContent };

Fate FateOf(std::string_view name) {
  switch (ToLower(name[0])) {
    case 's':
      return EqualsIgnoreCase(name, "script") || EqualsIgnoreCase(name, "style")
                 ? Fate::kDropContent
                 : Fate::kKeep;
    case 'a':
      return EqualsIgnoreCase(name, "applet") ? Fate::kDropContent : Fate::kKeep;
    case 'b':
      return EqualsIgnoreCase(name, "base") || EqualsIgnoreCase(name, "button") ||
                     EqualsIgnoreCase(name, "body")
                 ? Fate::kDropTag
                 : Fate::kKeep;
    case 'e':
      return EqualsIgnoreCase(name, "embed") ? Fate::kDropTag : Fate::kKeep;
    case 'f':
      return EqualsIgnoreCase(name, "form") || EqualsIgnoreCase(name, "frame") ||
                     EqualsIgnoreCase(name, "frameset")
                 ? Fate::kDropTag
                 : Fate::kKeep;
    case 'h':
      return EqualsIgnoreCase(name, "html") || EqualsIgnoreCase(name, "head") ? Fate::kDropTag
                                                                              : Fate::kKeep;
    case 'i':
      return EqualsIgnoreCase(name, "iframe") || EqualsIgnoreCase(name, "input") ? Fate::kDropTag
                                                                                 : Fate::kKeep;
    case 'l':
      return EqualsIgnoreCase(name, "link") ? Fate::kDropTag : Fate::kKeep;
    case 'm':
      return EqualsIgnoreCase(name, "meta") ? Fate::kDropTag : Fate::kKeep;
    case 'o':
      return EqualsIgnoreCase(name, "object") ? Fate::kDropTag : Fate::kKeep;
    case 'p':
      return EqualsIgnoreCase(name, "param") ? Fate::kDropTag : Fate::kKeep;
    case 't':
      return EqualsIgnoreCase(name, "template") ? Fate::kDropTag : Fate::kKeep;
    default:
      return Fate::kKeep;
  }
}

enum class AttributeKind : unsigned char { kPlain, kUrl, kDrop };

AttributeKind KindOf(std::string_view name) {
  if (name.size() < 3) return AttributeKind::kPlain;
  switch (ToLower(name[0])) {
    case 'o':
      return ToLower(name[1]) == 'n' ? AttributeKind::kDrop : AttributeKind::kPlain;
    case 's':
      if (EqualsIgnoreCase(name, "src")) return AttributeKind::kUrl;
      return EqualsIgnoreCase(name, "style") || EqualsIgnoreCase(name, "srcdoc")
                 ? AttributeKind::kDrop
                 : AttributeKind::kPlain;
    case 'h':
      return EqualsIgnoreCase(name, "href") ? AttributeKind::kUrl : AttributeKind::kPlain;
    case 'c':
      return EqualsIgnoreCase(name, "cite") ? AttributeKind::kUrl : AttributeKind::kPlain;
    case 'b':
      return EqualsIgnoreCase(name, "background") ? AttributeKind::kUrl : AttributeKind::kPlain;
    case 'p':
      return EqualsIgnoreCase(name, "poster") ? AttributeKind::kUrl : AttributeKind::kPlain;
    case 'l':
      return EqualsIgnoreCase(name, "longdesc") ? AttributeKind::kUrl : AttributeKind::kPlain;
    case 'a':
      return EqualsIgnoreCase(name, "action") ? AttributeKind::kDrop : AttributeKind::kPlain;
    case 'f':
      return EqualsIgnoreCase(name, "formaction") ? AttributeKind::kDrop : AttributeKind::kPlain;
    case 'x':
      return EqualsIgnoreCase(name, "xlink:href") ? AttributeKind::kUrl : AttributeKind::kPlain;
    default:
      return AttributeKind::kPlain;
  }
}

// An address that needs neither resolving nor a closer look, which is nearly every one.
bool IsPlainHttp(std::string_view url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

class Sanitiser {
 public:
  Sanitiser(std::string_view html, std::string_view base, Markup markup, std::string* out)
      : html_(html), base_(base), markup_(markup), out_(out) {}

  void Run() {
    size_t at = 0;
    while ((at = FindByte(html_, '<', at)) < html_.size()) {
      const char next = at + 1 < html_.size() ? html_[at + 1] : '\0';
      if (IsAlpha(next) || next == '/')
        at = HandleTag(at);
      else
        at = HandleDeclaration(at);
    }
    Flush(html_.size());
  }

 private:
  // Copies what was kept since the last change, up to `end`.
  void Flush(size_t end) {
    if (end > kept_) out_->append(html_, kept_, end - kept_);
  }
  // Leaves out [from, to).
  size_t Drop(size_t from, size_t to) {
    Flush(from);
    kept_ = to;
    return to;
  }
  size_t EscapeAngle(size_t at) {
    Flush(at);
    out_->append("&lt;");
    kept_ = at + 1;
    return kept_;
  }

  size_t HandleDeclaration(size_t at) {
    if (markup_ == Markup::kXml && html_.compare(at, 9, "<![CDATA[") == 0) {
      const size_t end = FindMark(html_, "]]>", 0, at);
      Flush(at);
      AppendEscaped(
          html_.substr(at + 9, end < html_.size() ? end - at - 9 : std::string_view::npos), out_);
      kept_ = std::min(end + 3, html_.size());
      return kept_;
    }
    const size_t length = SkipHtmlDeclaration(html_, at);
    return length > 0 ? Drop(at, at + length) : EscapeAngle(at);
  }

  size_t HandleTag(size_t at) {
    HtmlTag tag = ReadHtmlTag(html_, at);
    if (tag.length == 0) return EscapeAngle(at);
    const size_t end = at + tag.length;
    const size_t colon = tag.name.find(':');
    const std::string_view local =
        colon == std::string_view::npos ? tag.name : tag.name.substr(colon + 1);
    if (local.empty()) return Drop(at, end);
    const Fate fate = FateOf(local);
    if (fate == Fate::kDropContent && !tag.closing && !tag.self_closing)
      return Drop(at, SkipRawText(html_, tag.name, end));
    if (fate != Fate::kKeep) return Drop(at, end);
    const bool expand = markup_ == Markup::kXml && tag.self_closing && !IsVoidElement(local);
    const bool rename = markup_ == Markup::kXml && local.size() != tag.name.size();
    if (!expand && !rename && AttributesAreClean(tag)) return end;
    Flush(at);
    Rewrite(tag, local, expand);
    kept_ = end;
    return end;
  }

  bool AttributesAreClean(const HtmlTag& tag) const {
    std::string_view rest = tag.attributes;
    if (rest.empty()) return true;
    if (tag.closing) return false;  // an end tag has none
    if (FindByte(rest, '<', 0) < rest.size())
      return false;  // legal inside quotes, but no reason to trust it
    HtmlAttribute attribute;
    while (NextHtmlAttribute(&rest, &attribute)) {
      const AttributeKind kind = KindOf(attribute.name);
      if (kind == AttributeKind::kDrop) return false;
      if (kind == AttributeKind::kUrl && !IsPlainHttp(attribute.value)) return false;
    }
    return true;
  }

  void Rewrite(const HtmlTag& tag, std::string_view name, bool expand) {
    out_->append(tag.closing ? "</" : "<").append(name);
    std::string_view rest = tag.attributes;
    HtmlAttribute attribute;
    while (!tag.closing && NextHtmlAttribute(&rest, &attribute)) AppendAttribute(attribute);
    out_->append(tag.self_closing && !expand ? " />" : ">");
    if (expand) out_->append("</").append(name).push_back('>');
  }

  void AppendAttribute(const HtmlAttribute& attribute) {
    const AttributeKind kind = KindOf(attribute.name);
    if (kind == AttributeKind::kDrop ||
        attribute.name.find_first_of("<>") != std::string_view::npos)
      return;
    std::string_view value = attribute.value;
    std::string resolved;
    if (kind == AttributeKind::kUrl && !IsPlainHttp(value)) {
      std::string decoded;
      AppendDecoded(value, nullptr, &decoded);
      if (IsUnsafeUrl(decoded) && !StartsWithIgnoreCase(Trim(decoded), "data:image/")) return;
      const std::string absolute = ResolveUrl(base_, decoded);
      AppendEscaped(absolute, &resolved);
      value = resolved;
    }
    out_->append(" ").append(attribute.name);
    if (!attribute.has_value) return;
    out_->append("=\"");
    for (const char c : value) {
      if (c == '"')
        out_->append("&quot;");
      else if (c == '<')
        out_->append("&lt;");
      else
        out_->push_back(c);
    }
    out_->push_back('"');
  }

  std::string_view html_;
  std::string_view base_;
  Markup markup_;
  std::string* out_;
  size_t kept_ = 0;  // input before it is in the output or dropped
};

}  // namespace

void AppendSanitised(std::string_view html, std::string_view base, Markup markup,
                     std::string* out) {
  Sanitiser(html, base, markup, out).Run();
}

}  // namespace racewatch::ingest::feed
