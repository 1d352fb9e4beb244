// racewatch explain: why one document got its labels: the text with the words that count coloured by their
// weight in a terminal, then bias and strongest contributions per label.
#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "classify/model/model.h"
#include "cli/command.h"
#include "cli/model_flags.h"
#include "racewatch/v1/classifier_service.pb.h"

namespace racewatch::cli {
namespace {

struct Input {
  std::string title, text, language;
};

// A JSON object on the first line, or plain text whose first line is the title.
Input ParseInput(const std::string& content) {
  Input input;
  const auto object = nlohmann::json::parse(content.substr(0, content.find('\n')), nullptr, false);
  if (object.is_object()) {
    const auto get = [&](const char* key) { return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string(); };
    return {get("title"), get("text"), get("lang")};
  }
  const size_t end = content.find('\n');
  input.title = content.substr(0, end);
  if (end != std::string::npos) input.text = content.substr(end + 1);
  return input;
}

// The document with green where bytes spoke for the label and red where they spoke against it.
void PrintColoured(const std::string& document, const v1::LabelExplanation& label) {
  std::vector<float> weight(document.size(), 0.0f);
  for (const v1::Contribution& c : label.contributions())
    for (const v1::Span& span : c.spans()) {
      const size_t end = std::min<size_t>(document.size(), size_t{span.start()} + span.length());
      for (size_t i = span.start(); i < end; ++i) weight[i] += static_cast<float>(c.weight()) / static_cast<float>(c.spans_size());
    }
  int colour = 0;
  for (size_t i = 0; i < document.size(); ++i) {
    const bool inside = (static_cast<unsigned char>(document[i]) & 0xC0) == 0x80;
    const int want = weight[i] > 0.02f ? 32 : weight[i] < -0.02f ? 31 : 0;
    if (!inside && want != colour) std::printf("\x1b[%dm", colour = want);
    std::putchar(document[i]);
  }
  std::printf("\x1b[0m\n\n");
}

void PrintLabel(const v1::LabelExplanation& label, int top) {
  std::printf("%s  probability %.3f  logit %.3f  bias %.3f\n", label.label().c_str(), label.probability(), label.logit(), label.bias());
  double rest = 0;
  for (int i = 0; i < label.contributions_size(); ++i) {
    const v1::Contribution& c = label.contributions(i);
    if (i < top) std::printf("  %+7.3f  %s\n", c.weight(), c.feature().c_str());
    else rest += c.weight();
  }
  if (label.contributions_size() > top) std::printf("  %+7.3f  (%d more)\n", rest, label.contributions_size() - top);
}

int ExplainInput(const Input& input, const classify::Model& model, const std::vector<std::string>& labels, int top, bool colour) {
  classify::Scratch scratch;
  v1::ExplainResponse response;
  const base::Status status = model.Explain({input.title, input.text, input.language}, labels, scratch, &response);
  if (!status.ok()) return Fail(kExitUsage, status.message());
  const std::string document = input.title + "\n" + input.text;
  for (const v1::LabelExplanation& label : response.labels()) {
    PrintLabel(label, top);
    if (colour) PrintColoured(document, label);
  }
  return kExitOk;
}

}  // namespace

int RunExplain(int argc, char** argv) {
  CLI::App app("Shows why a document gets its labels: bias and contributions, which add up to the logit.", "racewatch explain");
  std::string file, model_path = classify::DefaultModelPath(), colour = "auto", second_tier;
  std::vector<std::string> labels;
  int top = 12;
  app.add_option("FILE", file, "A document as JSON, or plain text with its title on the first line; standard input if absent or -");
  app.add_option("--label", labels, "Labels to explain, such as theme:markets; default: the assigned ones");
  app.add_option("--top", top, "Contributions shown per label")->capture_default_str();
  app.add_option("--color", colour, "auto, always or never")->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--model", model_path, "Model file")->capture_default_str();
  AddSecondTierFlag(app, &second_tier);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("explain: ") + error.what());
  }
  std::ifstream opened;
  if (!file.empty() && file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return Fail(kExitIo, "explain: read " + file + ": no such file");
  }
  std::istream& in = opened.is_open() ? opened : std::cin;
  const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto model = LoadModel(model_path, second_tier);
  if (!model.ok()) return FailToLoad(model.status());
  return ExplainInput(ParseInput(content), **model, labels, top, colour == "always" || (colour == "auto" && isatty(1)));
}

}  // namespace racewatch::cli
