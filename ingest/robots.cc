#include "ingest/robots.h"

#include <algorithm>
#include <cctype>

namespace racewatch::ingest {
namespace {

constexpr size_t kBytesRead = 500u << 10;
constexpr size_t kRulesMax = 10'000;

bool SameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The product token of a User-agent line: up to the first character that cannot stand in one.
std::string_view Token(std::string_view value) {
  size_t end = 0;
  while (end < value.size() && (std::isalpha(static_cast<unsigned char>(value[end])) || value[end] == '-' || value[end] == '_')) ++end;
  return value.substr(0, end);
}

// Octets outside ASCII escaped, hexadecimal digits in upper case, so that both sides compare (§2.2.2).
std::string Normalized(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    if (c >= 0x80) {
      out += {'%', kHex[c >> 4], kHex[c & 15]};
    } else if (c == '%' && i + 2 < path.size()) {
      out += {'%', static_cast<char>(std::toupper(static_cast<unsigned char>(path[i + 1]))),
              static_cast<char>(std::toupper(static_cast<unsigned char>(path[i + 2])))};
      i += 2;
    } else {
      out.push_back(path[i]);
    }
  }
  return out;
}

// Greedy with one point of return: linear for the last star, never exponential.
bool Matches(std::string_view pattern, std::string_view path) {
  const bool anchored = pattern.ends_with('$');
  if (anchored) pattern.remove_suffix(1);
  size_t p = 0, t = 0, star = std::string_view::npos, star_t = 0;
  while (true) {
    if (p == pattern.size() && (!anchored || t == path.size())) return true;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_t = t;
    } else if (p < pattern.size() && t < path.size() && pattern[p] == path[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos && star_t < path.size()) {
      p = star + 1;
      t = ++star_t;
    } else {
      return false;
    }
  }
}

}  // namespace

RobotsRules RobotsRules::DisallowAll() {
  RobotsRules rules;
  rules.rules_.push_back({"/", false});
  return rules;
}

RobotsRules RobotsRules::Parse(std::string_view text, std::string_view product) {
  text = text.substr(0, kBytesRead);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  RobotsRules ours, everybodys;
  bool named = false;      // some group is for us by name
  bool for_us = false, for_all = false, in_agents = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = Trim(line.substr(0, line.find('#')));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = Trim(line.substr(0, colon));
    const std::string_view value = Trim(line.substr(colon + 1));
    if (SameWord(name, "user-agent")) {
      if (!in_agents) for_us = for_all = false;
      in_agents = true;
      if (value == "*") for_all = true;
      if (SameWord(Token(value), product)) for_us = named = true;
      continue;
    }
    const bool allow = SameWord(name, "allow");
    if (!allow && !SameWord(name, "disallow")) continue;
    in_agents = false;
    if (value.empty()) continue;
    if (for_us && ours.rules_.size() < kRulesMax) ours.rules_.push_back({Normalized(value), allow});
    if (for_all && everybodys.rules_.size() < kRulesMax) everybodys.rules_.push_back({Normalized(value), allow});
  }
  return named ? ours : everybodys;
}

bool RobotsRules::Allows(std::string_view path) const {
  const std::string target = Normalized(path.empty() ? "/" : path);
  if (target == "/robots.txt") return true;
  size_t longest = 0;
  bool allowed = true;
  for (const Rule& rule : rules_) {
    if (rule.pattern.size() < longest || !Matches(rule.pattern, target)) continue;
    if (rule.pattern.size() > longest)
      allowed = rule.allow;
    else
      allowed = allowed || rule.allow;
    longest = rule.pattern.size();
  }
  return allowed;
}

}  // namespace racewatch::ingest
