// Who publishes under a domain: name, owner family, country, group, language, kind. Facts as data
// (ingest/publishers.tsv, compiled in), with an optional override file of the same form. Constant after
// loading, safe from any thread. Families make independent publishers countable: one owner, one voice.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"

namespace racewatch::ingest {

struct Publisher {
  std::string domain;
  std::string name;
  std::string family;    // owner, [a-z0-9-]
  std::string country;   // ISO 3166-1 alpha-2, lower case; "--" for international bodies
  std::string group;     // us, china, europe or other
  std::string language;  // ISO 639-1, main language
  std::string kind;      // news, wire, state, tech, business, policy, research, company, government, blog, aggregator
};

class PublisherRegistry {
 public:
  // The built-in table.
  PublisherRegistry();

  // Rows of `path` replace or extend the table. NOT_FOUND, or INVALID_ARGUMENT `path:LINE: what`.
  base::Status LoadOverride(const std::string& path);

  // The row of the longest suffix of `host` ("chinese.ft.com" before "ft.com"); nullptr when unknown.
  const Publisher* Find(std::string_view host) const;

  // The group of an unknown host, by its country domain (cn and hk: china; .gov, .mil: us; EU and EEA, uk, ch: europe); else other.
  static std::string_view GroupOfDomain(std::string_view host);

  size_t size() const { return by_domain_.size(); }

 private:
  base::Status Load(std::string_view text, const std::string& file);
  std::unordered_map<std::string, Publisher> by_domain_;
};

}  // namespace racewatch::ingest
