// racewatch count: from labelled real texts, which may not be kept, the folder of counts that training reads instead.
#include <CLI/CLI.hpp>
#include <iostream>

#include "classify/model/counted.h"
#include "classify/model/training.h"
#include "cli/command.h"

namespace racewatch::cli {

int RunCount(int argc, char** argv) {
  CLI::App app("Counts the features of labelled texts that may not be kept, so that training can use them.", "racewatch count");
  std::string texts, folder;
  classify::TrainingInputs others;
  app.add_option("--texts", texts, "Labelled texts, JSON lines of the corpus format, plain or gzip")->required();
  app.add_option("--corpus", others.corpus, "Labelled real texts that training will read beside them")->required();
  app.add_option("--own", others.own, "Passages that training will read beside them");
  app.add_option("--counted", others.counted, "Folders of texts counted before that training will read beside them");
  app.add_option("--lexicon", others.lexicon, "Term lexicon; default: the one in the source tree");
  app.add_option("--out", folder, "Folder to write labels.jsonl and counts.msgpack.gz into")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("count: ") + error.what());
  }
  const auto data = classify::LoadTrainingData(others);
  if (!data.ok()) return Fail(ExitCodeFor(data.status()), data.status().message());
  const base::Status status = classify::WriteCounted(texts, data->documents, data->lexicon, data->fold, folder);
  return status.ok() ? kExitOk : Fail(ExitCodeFor(status), status.message());
}

}  // namespace racewatch::cli
