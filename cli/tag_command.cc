// racewatch tag: tags documents, one JSON object a line in, one out (contract in design: README, "what you
// can ask"). A line that is no document gives {"line","error"} and does not stop the run.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "classify/model/model.h"
#include "cli/command.h"
#include "cli/model_flags.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::cli {
namespace {

using nlohmann::ordered_json;

std::string StringOf(const nlohmann::json& object, const char* key, bool required) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) {
    if (required) throw std::runtime_error(std::string("no \"") + key + "\"");
    return "";
  }
  if (!it->is_string()) throw std::runtime_error(std::string("\"") + key + "\" is not a string");
  return it->get<std::string>();
}

ordered_json TagsToJson(const v1::Tags& tags) {
  ordered_json out;
  out["language"] = tags.language();
  out["relevance"] = {{"label", tags.relevance().label()}, {"score", tags.relevance().score()}};
  out["themes"] = ordered_json::array();
  for (const v1::ThemeTag& theme : tags.themes()) out["themes"].push_back({{"id", theme.id()}, {"score", theme.score()}});
  out["stance"] = ordered_json::array();
  for (const v1::StanceTag& stance : tags.stance())
    out["stance"].push_back({{"target", stance.target()}, {"position", stance.position()}, {"score", stance.score()}});
  out["lean"] = nullptr;
  if (tags.has_lean()) out["lean"] = {{"label", tags.lean().label()}, {"score", tags.lean().score()}};
  out["evidence"] = ordered_json::array();
  for (const v1::Evidence& e : tags.evidence())
    out["evidence"].push_back({{"label", e.label()}, {"start", e.start()}, {"length", e.length()}, {"weight", e.weight()}});
  out["model_version"] = tags.model_version();
  if (!tags.second_tier().empty()) out["second_tier"] = tags.second_tier();
  return out;
}

struct TagOptions {
  bool theme_scores = false;  // of the tags
  bool scores = false;        // of every label
};

ordered_json ScoresToJson(const classify::Scores& scores) {
  ordered_json out;
  out["relevance"] = scores.relevance;
  for (size_t i = 0; i < base::kThemes.size(); ++i) out["themes"][std::string(base::kThemes[i])] = scores.themes[i];
  for (size_t t = 0; t < base::kTargets.size(); ++t)
    for (size_t p = 0; p < scores.stance[t].size(); ++p)
      out["stance"][std::string(base::kTargets[t])][std::string(base::kPositions[p])] = scores.stance[t][p];
  for (size_t l = 0; l < scores.lean.size(); ++l) out["lean"][std::string(base::kLeans[l])] = scores.lean[l];
  return out;
}

// The answer to one line: tags, or throws with what is wrong with it.
ordered_json TagLine(const std::string& line, const classify::Model& model, const TagOptions& options, classify::Scratch& scratch,
                     v1::Tags* tags) {
  const auto object = nlohmann::json::parse(line);
  if (!object.is_object()) throw std::runtime_error("not a JSON object");
  const std::string title = StringOf(object, "title", false), text = StringOf(object, "text", false);
  const std::string language = StringOf(object, "lang", false);
  ordered_json out;
  const auto id = object.find("id");
  out["id"] = id == object.end() ? ordered_json() : ordered_json(*id);
  if (object.find("title") == object.end() && object.find("text") == object.end())
    throw std::runtime_error("neither \"title\" nor \"text\"");
  const classify::DocumentView document{title, text, language};
  const classify::Scores scores = model.Classify(document, scratch, tags);
  out.update(TagsToJson(*tags));
  if (options.theme_scores && tags->relevance().label()) {
    for (size_t i = 0; i < base::kThemes.size(); ++i) out["theme_scores"][std::string(base::kThemes[i])] = scores.themes[i];
  }
  if (options.scores) out["scores"] = ScoresToJson(scores);
  return out;
}

int TagStream(std::istream& in, const classify::Model& model, const TagOptions& options) {
  classify::Scratch scratch;
  v1::Tags tags;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    ordered_json out;
    try {
      out = TagLine(line, model, options, scratch, &tags);
    } catch (const std::exception& error) {
      out = {{"line", number}, {"error", error.what()}};
    }
    std::cout << out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  }
  std::cout.flush();
  return std::cout ? kExitOk : Fail(kExitIo, "write standard output: failed");
}

}  // namespace

int RunTag(int argc, char** argv) {
  CLI::App app("Tags documents: {\"id\",\"title\",\"text\",\"lang\"?} a line to relevance, themes, stance, lean and evidence.", "racewatch tag");
  std::string file, model_path = classify::DefaultModelPath(), second_tier;
  TagOptions options;
  app.add_option("FILE", file, "JSON lines; standard input if absent or -");
  app.add_option("--model", model_path, "Model file")->capture_default_str();
  AddSecondTierFlag(app, &second_tier);
  app.add_flag("--theme-scores", options.theme_scores, "Add the probability of every theme");
  app.add_flag("--scores", options.scores, "Add the probability of every label, of both tiers where the second one has read the text (all 0 but that of relevance where it is far from relevant)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("tag: ") + error.what());
  }
  const auto model = LoadModel(model_path, second_tier);
  if (!model.ok()) return FailToLoad(model.status());
  if (file.empty() || file == "-") return TagStream(std::cin, **model, options);
  std::ifstream in(file, std::ios::binary);
  if (!in) return Fail(kExitIo, "tag: read " + file + ": no such file");
  return TagStream(in, **model, options);
}

}  // namespace racewatch::cli
