// racewatch eval: scores a model on labelled texts (--gold) and on probe pairs (--probes), or trains and judges
// outlet-disjoint folds of a corpus (--corpus), and prints the table of scores.
#include <CLI/CLI.hpp>
#include <iostream>

#include "classify/model/model.h"
#include "classify/model/probes.h"
#include "classify/model/training.h"
#include "cli/command.h"
#include "cli/model_flags.h"

namespace racewatch::cli {
namespace {

// What a feed that carries only titles, or titles and summaries, would have shown of `documents`.
void CutToScope(const std::string& scope, std::vector<classify::LabelledDocument>* documents) {
  if (scope == "full") return;
  for (classify::LabelledDocument& d : *documents) classify::Shorten(scope == "title" ? 0 : classify::kSummaryCopyBytes, &d);
}

int EvaluateProbes(const classify::Model& model, const std::vector<std::string>& paths) {
  std::vector<classify::Probe> probes;
  for (const std::string& path : paths) {
    const auto read = classify::ReadProbes(path);
    if (!read.ok()) return Fail(ExitCodeFor(read.status()), read.status().message());
    probes.insert(probes.end(), read->begin(), read->end());
  }
  std::cout << classify::FormatProbes(classify::ScoreProbes(model, probes));
  return kExitOk;
}

int EvaluateModel(const classify::Model& model, const std::vector<std::string>& gold, const std::string& scope,
                  const std::vector<std::string>& probes) {
  std::vector<classify::LabelledDocument> documents;
  for (const std::string& path : gold)
    if (const base::Status status = classify::ReadLabelled(path, true, &documents); !status.ok())
      return Fail(ExitCodeFor(status), status.message());
  const std::vector<uint32_t> groups = classify::Groups(documents);
  CutToScope(scope, &documents);
  if (!gold.empty()) std::cout << classify::FormatReport(classify::JudgeWithModel(model, documents), groups);
  return probes.empty() ? kExitOk : EvaluateProbes(model, probes);
}

int CrossValidate(const classify::TrainingInputs& inputs, const classify::TrainOptions& options, uint32_t folds) {
  const auto data = classify::LoadTrainingData(inputs);
  if (!data.ok()) return Fail(ExitCodeFor(data.status()), data.status().message());
  std::vector<uint32_t> groups;
  const auto judged = classify::CrossValidate(*data, options, folds, [](std::string_view line) { std::cerr << "eval: " << line << std::endl; }, &groups);
  std::cout << classify::FormatReport(judged, groups);
  return kExitOk;
}

}  // namespace

int RunEval(int argc, char** argv) {
  CLI::App app("Scores a model on labelled texts, or cross-validates training over disjoint outlets.", "racewatch eval");
  std::vector<std::string> gold, probes;
  std::string scope = "full";
  std::string model_path = classify::DefaultModelPath(), second_tier;
  classify::TrainingInputs inputs;
  classify::TrainOptions options;
  uint32_t folds = 5;
  app.add_option("--gold", gold, "Labelled texts to score the model on, JSON lines, plain or gzip");
  app.add_option("--scope", scope, "With --gold: full, summary (title and opening) or title")
      ->capture_default_str()->check(CLI::IsMember({"full", "summary", "title"}));
  app.add_option("--probes", probes, "Probe pairs to score the model on, JSON lines");
  app.add_option("--model", model_path, "Model file")->capture_default_str();
  AddSecondTierFlag(app, &second_tier);
  app.add_option("--corpus", inputs.corpus, "Cross-validate on these labelled real texts instead");
  app.add_option("--own", inputs.own, "Passages added to every training part");
  app.add_option("--counted", inputs.counted, "Folders of real texts of which only counts are kept (racewatch count)");
  app.add_option("--lexicon", inputs.lexicon, "Term lexicon; default: the one in the source tree");
  app.add_option("--folds", folds, "Parts of the cross-validation")->capture_default_str()->check(CLI::Range(2, 20));
  app.add_option("--seed", options.seed, "Seed of the solver's order")->capture_default_str();
  app.add_option("--rows", options.rows_max, "Rows kept after pruning")->capture_default_str();
  app.add_option("--without", options.without, "Leave out, comma-separated: ngrams, title, counts, concepts, own, ratio");
  try {
    app.parse(argc, argv);
    if ((gold.empty() && probes.empty()) == inputs.corpus.empty())
      throw CLI::ValidationError("give either --gold, --probes or both, or --corpus");
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("eval: ") + error.what());
  }
  if (!inputs.corpus.empty()) return CrossValidate(inputs, options, folds);
  const auto model = LoadModel(model_path, second_tier);
  if (!model.ok()) return FailToLoad(model.status());
  return EvaluateModel(**model, gold, scope, probes);
}

}  // namespace racewatch::cli
