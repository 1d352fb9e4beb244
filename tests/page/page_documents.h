// Small pages for the tests of page extraction, written for them.
#pragma once

#include <string>
#include <string_view>

#include "ingest/page/page_extractor.h"

namespace racewatch::ingest {

inline std::string Document(std::string_view head, std::string_view body) {
  return std::string("<!doctype html><html><head>").append(head).append("</head><body>").append(body).append("</body></html>");
}

// Paragraph number `n` of an article, each with words of its own.
inline std::string Paragraph(int n) {
  const std::string number = std::to_string(n);
  return "<p>Paragraph " + number + " tells, in plain words, what happened on day " + number +
         ", who said so, and why the readers of this paper should care about it.</p>";
}

inline std::string Paragraphs(int first, int last) {
  std::string out;
  for (int n = first; n <= last; ++n) out += Paragraph(n);
  return out;
}

// The page, which must be one; an empty Page otherwise, which fails what the test expects.
inline Page Extract(std::string_view html, const ExtractOptions& options = {}) {
  auto page = ExtractPage(html, options);
  return page.ok() ? std::move(page).value() : Page{};
}

}  // namespace racewatch::ingest
