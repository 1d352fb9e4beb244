// robots.txt by RFC 9309: which pages of a site we may fetch. RobotsRules is what one file says to us, a
// plain value; parsing never fails, what is not understood is skipped. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace racewatch::ingest {

class RobotsRules {
 public:
  // Nothing is forbidden / everything is.
  static RobotsRules AllowAll() { return {}; }
  static RobotsRules DisallowAll();

  // The groups for `product` (letters, - and _; compared without case), or those for * when there are none.
  // Reads the first 500 KiB (RFC 9309 §2.5).
  static RobotsRules Parse(std::string_view text, std::string_view product);

  // `path`: with query, beginning with a slash. The longest matching rule decides, Allow when two are
  // equally long (§2.2.2); * matches anything, $ at the end the end of the path.
  bool Allows(std::string_view path) const;

 private:
  struct Rule {
    std::string pattern;
    bool allow = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace racewatch::ingest
