#include "tests/system/recount.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "racewatch/v1/tagged_article.pb.h"
#include "tests/system/child_process.h"

namespace racewatch::system_test {
namespace {

Labels FromTags(const v1::Tags& tags, const std::string& language) {
  Labels labels;
  labels.relevant = tags.relevance().label();
  labels.language = language;
  for (const auto& theme : tags.themes()) labels.themes.insert(theme.id());
  for (const auto& stance : tags.stance()) labels.stance[stance.target()] = stance.position();
  labels.lean = tags.lean().label();
  return labels;
}

}  // namespace

std::map<std::string, CountedArticle> Winners(const std::vector<base::Record>& tagged) {
  using Rank = std::tuple<int, int64_t, std::string>;
  std::map<std::string, std::pair<Rank, CountedArticle>> best;
  for (const base::Record& record : tagged) {
    v1::TaggedArticle message;
    if (!message.ParseFromString(record.value)) throw std::runtime_error("undecodable record in the tagged topic");
    const v1::Article& article = message.article();
    const int64_t revision_ms = article.revision_at().seconds() * 1000 + article.revision_at().nanos() / 1'000'000;
    const Rank rank{article.body_quality(), revision_ms, article.content_hash()};
    auto [it, first] = best.try_emplace(article.id());
    if (!first && rank <= it->second.first) continue;
    it->second = {rank,
                  {FromTags(message.tags(), article.language()), article.published().seconds(), article.title(), article.text(),
                   article.publisher()}};
  }
  std::map<std::string, CountedArticle> out;
  for (auto& [id, entry] : best) out.emplace(id, std::move(entry.second));
  return out;
}

std::map<std::string, uint64_t> Count(const std::map<std::string, CountedArticle>& articles, int64_t from_s, int64_t to_s,
                                      const std::string& language) {
  std::map<std::string, uint64_t> counts;
  for (const auto& [id, article] : articles) {
    if (article.published_s < from_s || article.published_s >= to_s) continue;
    if (!language.empty() && article.labels.language != language) continue;
    ++counts[article.labels.relevant ? "relevance=true" : "relevance=false"];
    if (!article.labels.relevant) continue;
    for (const auto& theme : article.labels.themes) ++counts["theme=" + theme];
    for (const auto& [target, position] : article.labels.stance) ++counts["stance=" + target + "/" + position];
    ++counts["lean=" + article.labels.lean];
  }
  return counts;
}

std::map<std::string, Labels> TagWithCommand(const std::string& binary, const std::string& work_dir,
                                             const std::vector<TextToTag>& texts) {
  const std::string path = work_dir + "/to_tag.jsonl";
  std::ofstream file(path);
  for (const TextToTag& text : texts)
    file << nlohmann::json{{"id", text.id}, {"title", text.title}, {"text", text.text}, {"lang", text.language}}.dump() << "\n";
  file.close();
  std::string out;
  if (RunToEnd({binary, "tag", path}, &out) != 0) throw std::runtime_error("racewatch tag failed");
  std::map<std::string, Labels> labels;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    Labels one;
    one.relevant = json.at("relevance").at("label").get<bool>();
    for (const auto& theme : json.at("themes")) one.themes.insert(theme.at("id").get<std::string>());
    for (const auto& stance : json.at("stance")) one.stance[stance.at("target")] = stance.at("position").get<std::string>();
    if (!json.at("lean").is_null()) one.lean = json.at("lean").at("label").get<std::string>();
    labels[json.at("id").get<std::string>()] = one;
  }
  return labels;
}

}  // namespace racewatch::system_test
