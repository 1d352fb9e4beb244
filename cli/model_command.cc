// racewatch model show: the model card and what identifies the file. racewatch model diff: what changes on a set
// of texts when one file replaces another.
#include <CLI/CLI.hpp>
#include <iostream>

#include "classify/model/model.h"
#include "classify/model/model_diff.h"
#include "cli/command.h"

namespace racewatch::cli {

namespace {

int ShowModel(const std::string& path) {
  const auto model = classify::Model::Load(path);
  if (!model.ok()) return Fail(ExitCodeFor(model.status()), model.status().message());
  std::cout << (*model)->card() << "\nfile " << path << "\nsha256 " << (*model)->sha256() << "\nrows " << (*model)->features() << "\n";
  return kExitOk;
}

int DiffModels(const std::string& before, const std::string& after, const std::vector<std::string>& texts) {
  const auto old_model = classify::Model::Load(before), new_model = classify::Model::Load(after);
  if (!old_model.ok()) return Fail(ExitCodeFor(old_model.status()), old_model.status().message());
  if (!new_model.ok()) return Fail(ExitCodeFor(new_model.status()), new_model.status().message());
  std::vector<classify::LabelledDocument> documents;
  for (const std::string& path : texts)
    if (const base::Status status = classify::ReadLabelled(path, true, &documents); !status.ok())
      return Fail(ExitCodeFor(status), status.message());
  std::cout << classify::FormatModelDiff(classify::DiffModels(**old_model, **new_model, documents));
  return kExitOk;
}

}  // namespace

int RunModel(int argc, char** argv) {
  CLI::App app("Shows the classifier's model, or what changes between two.", "racewatch model");
  std::string model_path = classify::DefaultModelPath();
  CLI::App* show = app.add_subcommand("show", "Print the model card");
  show->add_option("--model", model_path, "Model file")->capture_default_str();
  std::string before, after;
  std::vector<std::string> texts;
  CLI::App* diff = app.add_subcommand("diff", "Count the labels that change between two models");
  diff->add_option("BEFORE", before, "Model file")->required();
  diff->add_option("AFTER", after, "Model file")->required();
  diff->add_option("--texts", texts, "Labelled texts to judge, JSON lines, plain or gzip; labels are not read")->required();
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("model: ") + error.what());
  }
  return diff->parsed() ? DiffModels(before, after, texts) : ShowModel(model_path);
}

}  // namespace racewatch::cli
