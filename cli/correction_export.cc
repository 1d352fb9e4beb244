#include "cli/correction_export.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string TextOf(const Json& object, const char* member) {
  const auto at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

// What one article's readers say, each with their last word, in the order in which they first spoke.
struct Readings {
  std::vector<std::string> readers;
  std::map<std::string, const Json*> last;
};

std::vector<const Json*> Labels(const Readings& readings) {
  std::vector<const Json*> out;
  for (const std::string& reader : readings.readers) out.push_back(&readings.last.at(reader)->at("labels"));
  return out;
}

bool IsRelevant(const Json& labels) { return labels.value("relevant", false); }

std::string PositionOn(const Json& labels, const std::string& target) {
  const auto stance = labels.find("stance");
  return stance == labels.end() ? "" : TextOf(*stance, target.c_str());
}

bool HasTheme(const Json& labels, const std::string& theme) {
  const auto themes = labels.find("themes");
  return themes != labels.end() && std::find(themes->begin(), themes->end(), theme) != themes->end();
}

// The value that all of `labels` give, or nothing.
template <typename Value>
const auto* Agreed(const std::vector<Value>& values) {
  return !values.empty() && std::all_of(values.begin(), values.end(), [&](const Value& v) { return v == values.front(); }) ? &values.front() : nullptr;
}

// Themes, stance and lean, by those who found the article relevant.
void Merge(const std::vector<const Json*>& readings, Json* labels, Json* unscored) {
  std::vector<const Json*> relevant;
  for (const Json* one : readings)
    if (IsRelevant(*one)) relevant.push_back(one);
  (*labels)["relevant"] = !relevant.empty();
  if (!relevant.empty() && relevant.size() < readings.size()) unscored->push_back("relevant");
  if (relevant.empty()) return;
  std::set<std::string> themes, targets;
  std::vector<std::string> leans;
  for (const Json* one : relevant) {
    for (const Json& theme : one->value("themes", Json::array())) themes.insert(theme.get<std::string>());
    const Json stance = one->value("stance", Json::object());
    for (const auto& [target, position] : stance.items()) targets.insert(target);
    leans.push_back(TextOf(*one, "lean"));
  }
  (*labels)["themes"] = Json::array();
  for (const std::string& theme : themes) {
    const bool all = std::all_of(relevant.begin(), relevant.end(), [&](const Json* one) { return HasTheme(*one, theme); });
    (all ? (*labels)["themes"] : *unscored).push_back((all ? "" : "theme:") + theme);
  }
  (*labels)["stance"] = Json::object();
  for (const std::string& target : targets) {
    std::vector<std::string> positions;
    for (const Json* one : relevant) positions.push_back(PositionOn(*one, target));
    if (const std::string* position = Agreed(positions)) (*labels)["stance"][target] = *position;
    else unscored->push_back("stance:" + target);
  }
  if (const std::string* lean = Agreed(leans)) (*labels)["lean"] = *lean;
  else unscored->push_back("lean");
}

Json RecordOf(const Readings& readings) {
  const Json& any = *readings.last.at(readings.readers.front());
  std::string origin;
  for (const std::string& reader : readings.readers)
    origin += (origin.empty() ? "corrected by " : ", ") + reader + " " + TextOf(*readings.last.at(reader), "at");
  Json labels, unscored = Json::array();
  Merge(Labels(readings), &labels, &unscored);
  Json record{{"id", "correction-" + TextOf(any, "id")}, {"family", TextOf(any, "article_id")}, {"title", TextOf(any, "title")},
              {"text", TextOf(any, "text")}, {"lang", TextOf(any, "language")}, {"outlet", TextOf(any, "publisher")}, {"origin", origin},
              {"labels", std::move(labels)}};
  if (!unscored.empty()) record["unscored"] = std::move(unscored);
  return record;
}

}  // namespace

ExportedCorrections ExportCorrections(const std::vector<Json>& corrections) {
  std::vector<std::string> order;
  std::map<std::string, Readings> articles;
  for (const Json& correction : corrections) {
    const std::string article = TextOf(correction, "article_id"), reader = TextOf(correction, "reader");
    if (!correction.contains("labels")) continue;
    Readings& readings = articles[article];
    if (readings.readers.empty()) order.push_back(article);
    if (!readings.last.contains(reader)) readings.readers.push_back(reader);
    readings.last[reader] = &correction;
  }
  ExportedCorrections out;
  for (const std::string& article : order) {
    Json record = RecordOf(articles.at(article));
    if (TextOf(record, "title").empty() && TextOf(record, "text").empty()) ++out.without_text;
    else out.records.push_back(std::move(record));
  }
  return out;
}

}  // namespace racewatch::cli
