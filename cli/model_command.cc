// racewatch model show: the model card and what identifies the file.
#include <CLI/CLI.hpp>
#include <iostream>

#include "classify/model/model.h"
#include "cli/command.h"

namespace racewatch::cli {

int RunModel(int argc, char** argv) {
  CLI::App app("Shows the classifier's model.", "racewatch model");
  std::string model_path = classify::DefaultModelPath();
  CLI::App* show = app.add_subcommand("show", "Print the model card");
  show->add_option("--model", model_path, "Model file")->capture_default_str();
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("model: ") + error.what());
  }
  const auto model = classify::Model::Load(model_path);
  if (!model.ok()) return Fail(ExitCodeFor(model.status()), model.status().message());
  std::cout << (*model)->card() << "\nfile " << model_path << "\nsha256 " << (*model)->sha256() << "\nrows "
            << (*model)->features() << "\n";
  return kExitOk;
}

}  // namespace racewatch::cli
