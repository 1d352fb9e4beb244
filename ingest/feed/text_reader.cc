#include "ingest/feed/text_reader.h"

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"

namespace racewatch::ingest::feed {
namespace {

bool IsBlank(std::string_view text) {
  for (const char c : text)
    if (!IsSpace(c)) return false;
  return true;
}

}  // namespace

ElementText TextReader::Read(std::string_view name, TextMode mode) {
  mode_ = mode;
  buffer_.clear();
  has_single_ = has_markup_ = blank_before_ = false;
  ElementText result;
  scanner_->set_text_element(name);
  size_t nested = 0;  // child elements of the same name
  for (bool done = false; !done;) {
    switch (scanner_->Next()) {
      case XmlEvent::kText:
        AddText(scanner_->text(), false);
        break;
      case XmlEvent::kCData:
        AddText(scanner_->text(), true);
        break;
      case XmlEvent::kStart:
        if (scope_->TagOf(scanner_->name()) == Tag::kEntry) {
          scanner_->Rewind(scanner_->token_begin());
          done = true;
          break;
        }
        if (scanner_->name() == name && !scanner_->self_closing()) ++nested;
        AddTag();
        break;
      case XmlEvent::kEnd:
        if (EqualsIgnoreCase(scanner_->name(), name)) {
          if (nested == 0)
            done = true;
          else
            --nested, AddTag();
        } else if (EndsElementAround(scanner_->name())) {
          scanner_->Rewind(scanner_->token_begin());
          done = true;
        } else {
          AddTag();
        }
        break;
      case XmlEvent::kEof:
        result.complete = false;
        done = true;
        break;
    }
  }
  scanner_->set_text_element({});
  result.text = Trim(has_single_ ? single_ : std::string_view(buffer_));
  result.has_markup = has_markup_;
  return result;
}

bool TextReader::EndsElementAround(std::string_view name) const {
  for (const std::string_view open : *open_)
    if (EqualsIgnoreCase(open, name)) return true;
  return false;
}

void TextReader::AddText(std::string_view text, bool cdata) {
  if (!has_markup_ && IsBlank(text)) {  // layout around a CDATA section
    blank_before_ = has_single_ || !buffer_.empty();
    return;
  }
  AddPiece(text, !cdata && mode_ != TextMode::kInline, cdata && mode_ == TextMode::kInline);
}

void TextReader::AddTag() {
  has_markup_ = true;
  const size_t begin = scanner_->token_begin();
  if (mode_ != TextMode::kPlain)
    AddPiece(scanner_->Slice(begin, scanner_->position()), false, false);
}

void TextReader::AddPiece(std::string_view piece, bool decode, bool escape) {
  decode = decode && FindByte(piece, '&', 0) < piece.size();
  const bool first = !has_single_ && buffer_.empty();
  if (first && !decode && !escape) {
    single_ = piece;
    has_single_ = true;
    return;
  }
  if (has_single_) {
    buffer_.assign(single_);
    has_single_ = false;
  }
  if (blank_before_) buffer_.push_back(' ');
  blank_before_ = false;
  if (decode)
    AppendDecoded(piece, dtd_, &buffer_);
  else if (escape)
    AppendEscaped(piece, &buffer_);
  else
    buffer_.append(piece);
}

}  // namespace racewatch::ingest::feed
