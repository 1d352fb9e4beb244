// Reads what schema.org JSON-LD says about the article of a page. Lenient: raw control characters and comment
// wrappers are repaired, an unreadable script is skipped. Uses simdjson; one Reader per thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/page/page.h"

namespace racewatch::ingest::page {

struct JsonLdArticle {
  std::string headline;
  std::string body;      // articleBody, markup stripped
  std::string author;
  std::string site;      // publisher
  std::string section;
  std::string language;
  std::optional<PageTime> published;
  std::optional<PageTime> modified;
  bool not_free = false;     // isAccessibleForFree is false
  bool is_article = false;   // some *Article, BlogPosting or Report was found (else a WebPage spoke)
};

class JsonLdReader {
 public:
  JsonLdReader();
  ~JsonLdReader();
  // Adds what `script`, the content of one JSON-LD script, says; earlier and more specific values stay.
  void Read(std::string_view script, JsonLdArticle* article);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::ingest::page
