// racewatch train: trains a model from labelled texts and writes its file. The same inputs, seed and build
// give the same bytes.
#include <CLI/CLI.hpp>
#include <iostream>

#include "classify/model/training.h"
#include "cli/command.h"

namespace racewatch::cli {

int RunTrain(int argc, char** argv) {
  CLI::App app("Trains a classifier model from labelled texts.", "racewatch train");
  classify::TrainingInputs inputs;
  classify::TrainOptions options;
  std::string out;
  app.add_option("--corpus", inputs.corpus, "Labelled real texts, JSON lines, plain or gzip")->required();
  app.add_option("--own", inputs.own, "Passages written for the project, same form");
  app.add_option("--counted", inputs.counted, "Folders of real texts of which only counts are kept (racewatch count)");
  app.add_option("--lexicon", inputs.lexicon, "Term lexicon; default: the one in the source tree");
  app.add_option("--seed", options.seed, "Seed of the solver's order")->capture_default_str();
  app.add_option("--rows", options.rows_max, "Rows kept after pruning")->capture_default_str();
  app.add_option("--model-version", inputs.version, "Version written into the file")->capture_default_str();
  app.add_option("--out", out, "Model file to write")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("train: ") + error.what());
  }
  const base::Status status = classify::TrainModelFile(
      inputs, options, out, [](std::string_view line) { std::cerr << "train: " << line << std::endl; });
  return status.ok() ? kExitOk : Fail(ExitCodeFor(status), status.message());
}

}  // namespace racewatch::cli
