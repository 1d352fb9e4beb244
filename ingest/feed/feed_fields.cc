// The leaves of FeedReader: one element's text or attributes into one field.
#include <algorithm>
#include <array>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/feed_reader.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"

namespace racewatch::ingest::feed {
namespace {

bool IsHtmlType(std::string_view type) {
  type = Trim(type);
  return type.empty() || EqualsIgnoreCase(type, "text/html") ||
         EqualsIgnoreCase(type, "application/xhtml+xml") || EqualsIgnoreCase(type, "html");
}

// "name@host (Name)", "Name <name@host>", "Name (name@host)" to the name; what is left over without
// one as it is.
std::string PersonName(std::string_view text) {
  text = Trim(text);
  const size_t open = text.find_first_of("(<");
  if (open == std::string_view::npos || (text.back() != ')' && text.back() != '>'))
    return Collapse(text);
  const std::string_view before = Trim(text.substr(0, open));
  const std::string_view inside = Trim(text.substr(open + 1, text.size() - open - 2));
  const auto is_mail = [](std::string_view s) {
    return s.find('@') != std::string_view::npos && s.find(' ') == std::string_view::npos;
  };
  if (is_mail(before) && !inside.empty()) return Collapse(inside);
  if (is_mail(inside) && !before.empty()) return Collapse(before);
  return Collapse(text);
}

}  // namespace

std::string FeedReader::Attribute(std::string_view name) const {
  for (const XmlAttribute& attribute : scanner_.attributes()) {
    if (!EqualsIgnoreCase(attribute.name, name)) continue;
    std::string value;
    AppendDecoded(Trim(attribute.value), &dtd_, &value);
    return value;
  }
  return {};
}

// xml:base and xml:lang of the current start tag.
void FeedReader::ReadCommonAttributes(Where where) {
  for (const XmlAttribute& attribute : scanner_.attributes()) {
    if (attribute.name == "xml:base") {
      element_base_ = ResolveUrl(bases_.back(), Attribute("xml:base"));
    } else if (where != Where::kIgnored &&
               (attribute.name == "xml:lang" || attribute.name == "lang")) {
      std::string language = Attribute(attribute.name);
      std::replace(language.begin(), language.end(), '_', '-');
      (where == Where::kEntry ? entry_.language : feed_.language) = std::move(language);
    }
  }
}

ElementText FeedReader::ReadElement(std::string_view name, TextMode mode) {
  if (scanner_.self_closing()) return {};
  return text_reader_.Read(name, mode);
}

std::string FeedReader::ReadPlain(std::string_view name) {
  return std::string(ReadElement(name, TextMode::kPlain).text);
}

std::string FeedReader::ReadTitle(std::string_view name) {
  const TextType type = ReadTextType(scanner_.attributes(), TextType::Kind::kText);
  const ElementText element = ReadElement(name, type.mode());
  return element.complete ? PlainText(element, type) : std::string();
}

std::string FeedReader::ReadHtml(std::string_view name, TextType::Kind fallback) {
  const TextType type = ReadTextType(scanner_.attributes(), fallback);
  const ElementText element = ReadElement(name, type.mode());
  std::string html;
  if (element.complete) AppendHtml(element, type, CurrentBase(), &html);
  return html;
}

void FeedReader::ReadSummary(std::string_view name, TextType::Kind fallback) {
  std::string html = ReadHtml(name, fallback);
  if (entry_.summary.empty())
    entry_.summary = std::move(html);
  else if (entry_.content.empty())
    entry_.content = std::move(html);
}

// An Atom person with name and email, or plain text as RSS and Dublin Core have it.
std::string FeedReader::ReadPerson(std::string_view name) {
  if (scanner_.self_closing()) return {};
  std::string full_name, mail, text;
  std::string* into = &text;
  for (int depth = 0;;) {
    const XmlEvent event = scanner_.Next();
    if (event == XmlEvent::kEof) break;
    if (event == XmlEvent::kText) AppendDecoded(scanner_.text(), &dtd_, into);
    if (event == XmlEvent::kCData) into->append(scanner_.text());
    if (event == XmlEvent::kStart) {
      const Tag tag = scope_.TagOf(scanner_.name());
      if (tag == Tag::kEntry) return scanner_.Rewind(scanner_.token_begin()), std::string();
      into = tag == Tag::kPersonName && full_name.empty() ? &full_name
             : tag == Tag::kPersonMail && mail.empty()    ? &mail
                                                          : &text;
      if (!scanner_.self_closing()) ++depth;
    }
    if (event == XmlEvent::kEnd) {
      into = &text;
      if (EqualsIgnoreCase(scanner_.name(), name) && depth <= 0) break;
      if (--depth < 0) {  // the end of an element around: ours has none
        scanner_.Rewind(scanner_.token_begin());
        break;
      }
    }
  }
  if (!Trim(full_name).empty()) return HtmlToLine(full_name);
  if (!Trim(mail).empty()) return Collapse(mail);
  return PersonName(HtmlToLine(text));
}

void FeedReader::ReadDate(std::string_view name, std::optional<FeedTime>* time) {
  if (const auto parsed = ParseDate(ReadElement(name, TextMode::kPlain).text)) *time = parsed;
}

// RSS: the text. Atom: href by its relation. `strong` is set once a text was found.
void FeedReader::ReadLink(std::string_view name, std::string* link, bool* strong) {
  const std::string href = Attribute("href");
  if (!href.empty()) ReadLinkRelation(href, link, *strong);
  const std::string base(CurrentBase());
  const ElementText element = ReadElement(name, TextMode::kPlain);
  if (element.text.empty() || !href.empty() || !element.complete) return;
  *link = ResolveUrl(base, element.text);
  *strong = true;
}

void FeedReader::ReadLinkRelation(const std::string& href, std::string* link, bool strong) {
  const std::string relation = Attribute("rel");
  const std::string url = ResolveUrl(CurrentBase(), href);
  if (relation.empty() || EqualsIgnoreCase(relation, "alternate")) {
    if (!strong && (IsHtmlType(Attribute("type")) || link->empty())) *link = url;
  } else if (EqualsIgnoreCase(relation, "enclosure") && in_entry_) {
    entry_.enclosures.push_back({url, Attribute("type"), Attribute("length")});
  } else if (EqualsIgnoreCase(relation, "self") && !in_entry_) {
    feed_.self_link = url;
  } else if (EqualsIgnoreCase(relation, "hub") && !in_entry_) {
    feed_.hubs.push_back(url);
  }
}

void FeedReader::ReadId(std::string_view name) {
  const bool is_guid = EqualsIgnoreCase(name, "guid");
  const bool permalink = is_guid && !EqualsIgnoreCase(Attribute("isPermaLink"), "false");
  const std::string base(CurrentBase());
  const ElementText element = ReadElement(name, TextMode::kPlain);
  if (element.text.empty() || !element.complete) return;
  // Only what is plainly a path is resolved: a bare word is an opaque id, which a base must not
  // change.
  const bool path = std::string_view("/.?#").find(element.text[0]) != std::string_view::npos;
  entry_.id =
      path && (permalink || !is_guid) ? ResolveUrl(base, element.text) : std::string(element.text);
  entry_.id_is_permalink = permalink;
}

void FeedReader::ReadSource(std::string_view name) {
  entry_.source.link = ResolveUrl(CurrentBase(), Attribute("url"));
  entry_.source.title = ReadTitle(name);
}

void FeedReader::ReadEnclosure() {
  const std::string url = Attribute("url");
  if (!url.empty())
    entry_.enclosures.push_back(
        {ResolveUrl(CurrentBase(), url), Attribute("type"), Attribute("length")});
}

void FeedReader::ReadCategory(std::string_view name, std::vector<std::string>* categories) {
  std::string term = Attribute("term");
  if (term.empty()) term = Attribute("label");
  const std::string text = ReadTitle(name);
  if (term.empty()) term = text;
  term = HtmlToLine(term);
  if (!term.empty()) categories->push_back(std::move(term));
}

void FeedReader::ReadKeywords(std::string_view name, std::vector<std::string>* categories) {
  const std::string text = ReadTitle(name);
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = Trim(rest.substr(0, comma));
    if (!word.empty()) categories->emplace_back(word);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
}

void FeedReader::ReadTtl(std::string_view name) {
  const int64_t minutes = std::strtol(ReadPlain(name).c_str(), nullptr, 10);
  if (minutes > 0 && minutes < 1'000'000'000) feed_.ttl_s = minutes * 60;
}

void FeedReader::ReadSkip(std::string_view name, Tag tag) {
  static constexpr std::array<std::string_view, 7> kDays = {
      "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
  const std::string text = ReadPlain(name);
  if (tag == Tag::kHour) {
    const bool number = !text.empty() && IsDigit(text[0]);
    const int64_t hour = std::strtol(text.c_str(), nullptr, 10);
    if (number && hour >= 0 && hour <= 24) feed_.skip_hours |= uint32_t{1} << (hour % 24);
    return;
  }
  for (size_t day = 0; day < kDays.size(); ++day)
    if (EqualsIgnoreCase(text, kDays[day])) feed_.skip_days |= static_cast<uint8_t>(1u << day);
}

}  // namespace racewatch::ingest::feed
