// Made-up articles for story tests and benches: sentences drawn from small word lists by a seeded generator, so
// that two seeds share words and phrases but no text.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace racewatch::fakes {

// About `words` words; names, numbers and function words between ordinary ones, as in news prose.
inline std::string MadeUpText(uint64_t seed, size_t words) {
  static const std::vector<std::string> kPlain = {
      "makers",  "orders",   "chips",   "engineers", "reported", "quarterly", "growth",   "factory",  "exports", "market",
      "sold",    "research", "systems", "training",  "clusters", "customers", "planned",  "capacity", "rules",   "licences",
      "studied", "models",   "results", "suppliers", "expects",  "shipments", "doubled",  "analysts", "weak",    "strong",
      "demand",  "prices",   "fell",    "rose",      "agency",   "officials", "announced", "projects", "power",  "datacentres"};
  static const std::vector<std::string> kFunction = {"the", "of", "and", "in", "to", "that", "with", "for", "from", "which"};
  std::mt19937_64 random(seed);
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    const uint64_t kind = random() % 10;
    if (kind < 4) {
      text += kFunction[random() % kFunction.size()];
    } else if (kind == 4) {
      text += "Name" + std::to_string(seed % 1000) + static_cast<char>('a' + random() % 20);
    } else if (kind == 5) {
      text += std::to_string(random() % 5000);
    } else {
      text += kPlain[random() % kPlain.size()];
    }
    text += i % 14 == 13 ? ". " : " ";
  }
  return text;
}

// Every second plain word gives way to one or two others, as a thesaurus spinner leaves it.
inline std::string Spun(const std::string& text) {
  std::string out;
  size_t plain = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    const bool ordinary = word.size() > 4 && word[0] >= 'a' && word[0] <= 'z' && word != "which";
    out += ordinary && plain++ % 2 == 0 ? (plain % 3 == 0 ? "freshly worded" : "reworded") : word;
    out += ' ';
    at = end + 1;
  }
  return out;
}

}  // namespace racewatch::fakes
