#include "ingest/publisher_registry.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <vector>

#include "ingest/publishers_data.h"

namespace racewatch::ingest {
namespace {

std::vector<std::string_view> SplitTabs(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

bool IsGroup(std::string_view group) {
  return group == "us" || group == "china" || group == "europe" || group == "other";
}

}  // namespace

PublisherRegistry::PublisherRegistry() {
  [[maybe_unused]] const base::Status status = Load(kPublishersTsv, "publishers.tsv");
  assert(status.ok() && "the built-in publisher table is malformed");
}

base::Status PublisherRegistry::Load(std::string_view text, const std::string& file) {
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const auto fields = SplitTabs(line);
    const std::string where = file + ":" + std::to_string(number) + ": ";
    if (fields.size() != 7) return base::InvalidArgument(where + "expected 7 fields separated by tabs");
    if (!IsGroup(fields[4])) return base::InvalidArgument(where + "group '" + std::string(fields[4]) + "' is not us, china, europe or other");
    Publisher p{std::string(fields[0]), std::string(fields[1]), std::string(fields[2]), std::string(fields[3]),
                std::string(fields[4]), std::string(fields[5]), std::string(fields[6])};
    by_domain_.insert_or_assign(p.domain, std::move(p));
  }
  return {};
}

base::Status PublisherRegistry::LoadOverride(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::NotFound("publishers file " + path + ": cannot be read");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return Load(text, path);
}

const Publisher* PublisherRegistry::Find(std::string_view host) const {
  while (!host.empty()) {
    const auto it = by_domain_.find(std::string(host));
    if (it != by_domain_.end()) return &it->second;
    const size_t dot = host.find('.');
    if (dot == std::string_view::npos) return nullptr;
    host.remove_prefix(dot + 1);
  }
  return nullptr;
}

std::string_view PublisherRegistry::GroupOfDomain(std::string_view host) {
  static constexpr std::array<std::string_view, 35> kEurope = {
      "eu", "uk", "ch", "no", "is", "li", "at", "be", "bg", "hr", "cy", "cz", "dk", "ee", "fi", "fr", "de", "gr",
      "hu", "ie", "it", "lv", "lt", "lu", "mt", "nl", "pl", "pt", "ro", "sk", "si", "es", "se", "ua", "rs"};
  const size_t dot = host.rfind('.');
  const std::string_view top = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
  if (top == "cn" || top == "hk" || top == "mo") return "china";
  if (top == "gov" || top == "mil" || top == "us") return "us";
  return std::find(kEurope.begin(), kEurope.end(), top) != kEurope.end() ? "europe" : "other";
}

}  // namespace racewatch::ingest
