#include "ingest/page/page_json.h"

#include <cstdio>

namespace racewatch::ingest {
namespace {

void AppendString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t at = 0; at < text.size();) {
    size_t stop = at;
    while (stop < text.size() && static_cast<unsigned char>(text[stop]) >= ' ' && text[stop] != '"' && text[stop] != '\\') ++stop;
    out->append(text, at, stop - at);
    if (stop == text.size()) break;
    const char c = text[stop];
    char escape[8];
    if (c == '"' || c == '\\') std::snprintf(escape, sizeof escape, "\\%c", c);
    else if (c == '\n') std::snprintf(escape, sizeof escape, "\\n");
    else std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
    out->append(escape);
    at = stop + 1;
  }
  out->push_back('"');
}

}  // namespace

void AppendPageJson(const Page& page, std::string_view file, std::string* out) {
  char separator = '{';
  const auto key = [&](std::string_view name) {
    out->push_back(separator);
    separator = ',';
    out->append("\"").append(name).append("\":");
  };
  const auto text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    key(name);
    AppendString(value, out);
  };
  text("file", file);
  text("title", page.title);
  text("text", page.text);
  if (page.published) text("published", page.published->ToString());
  if (page.modified) text("modified", page.modified->ToString());
  text("author", page.author);
  text("language", page.language);
  text("site", page.site);
  text("canonical_url", page.canonical_url);
  text("section", page.section);
  key("paywalled");
  out->append(page.paywalled ? "true" : "false");
  key("consent_wall");
  out->append(page.consent_wall ? "true}" : "false}");
}

}  // namespace racewatch::ingest
