#include "ingest/feed/xml_walk.h"

#include "ingest/feed/ascii.h"

namespace racewatch::ingest::feed {
namespace {

std::string_view Local(std::string_view qualified) {
  const size_t colon = qualified.find(':');
  return colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
}

}  // namespace

XmlWalk::XmlWalk(std::string_view text)
    : scanner_(text), text_reader_(&scanner_, &scope_, &dtd_, &open_) {}

XmlWalk::Step XmlWalk::Next() {
  if (pending_) {
    pending_ = false;
    if (open_.size() >= kDepthMax)
      ++too_deep_;
    else
      open_.push_back(scanner_.name());
  }
  for (;;) {
    switch (scanner_.Next()) {
      case XmlEvent::kStart:
        if (open_.empty()) dtd_.Read(scanner_.doctype());
        local_ = Local(scanner_.name());
        pending_ = !scanner_.self_closing();
        return Step::kStart;
      case XmlEvent::kEnd:
        if (too_deep_ > 0) {
          --too_deep_;
          break;
        }
        for (size_t depth = open_.size(); depth-- > 0;) {
          if (!EqualsIgnoreCase(open_[depth], scanner_.name())) continue;
          open_.resize(depth);
          local_ = Local(scanner_.name());
          return Step::kEnd;
        }
        break;  // of an element that was never opened
      case XmlEvent::kEof:
        done_ = true;
        return Step::kDone;
      case XmlEvent::kText:
      case XmlEvent::kCData:
        break;
    }
  }
}

std::string_view XmlWalk::parent() const {
  return open_.empty() ? std::string_view() : Local(open_.back());
}

std::string XmlWalk::Attribute(std::string_view name) const {
  for (const XmlAttribute& attribute : scanner_.attributes()) {
    if (!EqualsIgnoreCase(Local(attribute.name), name)) continue;
    std::string value;
    AppendDecoded(Trim(attribute.value), &dtd_, &value);
    return value;
  }
  return {};
}

std::string_view XmlWalk::Plain() {
  if (!pending_) return {};
  pending_ = false;
  const ElementText element = text_reader_.Read(scanner_.name(), TextMode::kPlain);
  return element.complete ? Trim(element.text) : std::string_view();
}

ElementText XmlWalk::Inline() {
  if (!pending_) return {};
  pending_ = false;
  return text_reader_.Read(scanner_.name(), TextMode::kInline);
}

std::string RootName(std::string_view text) {
  XmlScanner scanner(text.substr(0, 64 << 10));
  for (;;) {
    const XmlEvent event = scanner.Next();
    if (event == XmlEvent::kEof) return {};
    if (event == XmlEvent::kStart) return std::string(Local(scanner.name()));  // the scanner may hold a mended name
  }
}

}  // namespace racewatch::ingest::feed
