// Character references: numeric, the named ones of HTML, and the plain ones a document's own DTD
// declares. Nothing recursive is ever expanded, so the output is at most a small constant times the
// input.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace racewatch::ingest::feed {

// Internal entities of a DOCTYPE whose value is plain text: no reference and no markup in it, at
// most kValueBytesMax long, at most kEntitiesMax of them. Everything else in a DTD is ignored.
class DtdEntities {
 public:
  static constexpr size_t kValueBytesMax = 256;
  static constexpr size_t kEntitiesMax = 64;

  // Reads the declarations out of the text between `<!DOCTYPE` and its `>`.
  void Read(std::string_view doctype);
  // The value, or an empty view when `name` is not declared here.
  std::string_view Find(std::string_view name) const;
  bool empty() const { return entities_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> entities_;
};

// Appends `code_point` as UTF-8. 0x80–0x9F are read as windows-1252 (what their authors meant);
// control characters are left out; what is no character becomes U+FFFD.
void AppendCodePoint(uint32_t code_point, std::string* out);

// The characters of an HTML named reference ("amp", "nbsp"), UTF-8; empty when unknown. Case
// matters.
std::string_view NamedCharacter(std::string_view name);

// Decodes the reference at the start of `text` (which begins with '&'), appends its characters to
// `out` and returns its length; 0 when it is no reference, with nothing appended. `dtd` may be
// null.
size_t DecodeReference(std::string_view text, const DtdEntities* dtd, std::string* out);

// Appends `text` to `out` with its references decoded once; unknown ones and bare '&' stay as they
// are.
void AppendDecoded(std::string_view text, const DtdEntities* dtd, std::string* out);

// Appends `text` with & < > written as references, so that it reads as itself in HTML.
void AppendEscaped(std::string_view text, std::string* out);

}  // namespace racewatch::ingest::feed
