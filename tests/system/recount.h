// An independent, naive recount of what the store must say: maps keyed by label, built from what lies in
// the topics, with no code of store/. Also the oracle for labels: one run of `racewatch tag`.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/bus/record.h"

namespace racewatch::system_test {

struct Labels {
  bool relevant = false;
  std::set<std::string> themes;
  std::map<std::string, std::string> stance;  // target → position
  std::string lean;
  std::string language;
  friend bool operator==(const Labels&, const Labels&) = default;
};

struct CountedArticle {
  Labels labels;
  int64_t published_s = 0;
  std::string title;
  std::string text;
  std::string publisher;
};

// The winner of every article id in these records of the tagged topic.
std::map<std::string, CountedArticle> Winners(const std::vector<base::Record>& tagged);

// Series name ("theme=x", "stance=target/position", "lean=x", "relevance=true") → count, over articles whose
// time lies in [from_s, to_s). `language` empty: all.
std::map<std::string, uint64_t> Count(const std::map<std::string, CountedArticle>& articles, int64_t from_s, int64_t to_s,
                                      const std::string& language = "");

struct TextToTag {
  std::string id;
  std::string title;
  std::string text;
  std::string language;
};

// What `racewatch tag` says of each text, by id. Throws on a failed run.
std::map<std::string, Labels> TagWithCommand(const std::string& binary, const std::string& work_dir,
                                             const std::vector<TextToTag>& texts);

}  // namespace racewatch::system_test
