#include "classify/second_tier/adapter.h"

#include <algorithm>
#include <cmath>

#include "base/taxonomy.h"
#include "classify/model/decision.h"
#include "classify/second_tier/gguf.h"

namespace racewatch::classify {
namespace {

constexpr double kNearlyOne = 1 - 1e-6;

base::Status ReadMix(const GgufFile& file, const std::string& key, Adapter::Mix* mix) {
  RW_ASSIGN_OR_RETURN(const std::vector<double>* numbers, file.Reals(key));
  if (numbers->size() != 5) return base::FailedPrecondition("load " + file.path() + ": " + key + ": 5 numbers expected");
  const auto at = [&](size_t i) { return static_cast<float>((*numbers)[i]); };
  *mix = {at(0), at(1), at(2), at(3), at(4)};
  return {};
}

base::Status ReadQuestions(const GgufFile& file, std::vector<Adapter::Question>* out) {
  RW_ASSIGN_OR_RETURN(const std::vector<std::string_view>* fields, file.Texts("racewatch.fields"));
  RW_ASSIGN_OR_RETURN(const std::vector<std::string_view>* texts, file.Texts("racewatch.questions"));
  const auto fail = [&](const std::string& what) { return base::FailedPrecondition("load " + file.path() + ": " + what); };
  if (fields->empty() || fields->size() != texts->size()) return fail("questions and labels do not match");
  for (size_t i = 0; i < fields->size(); ++i) {
    Adapter::Question question;
    question.text = (*texts)[i];
    const std::string field((*fields)[i]);
    if (field == "lean") question.kind = Adapter::Question::kLean;
    else if (field == "relevance") question.kind = Adapter::Question::kRelevance;
    else {
      const auto target = field.starts_with("stance:") ? base::IndexOf(base::kTargets, field.substr(7)) : std::nullopt;
      if (!target) return fail("no label '" + field + "'");
      question.target = *target;
    }
    out->push_back(std::move(question));
  }
  return {};
}

double LogOdds(double p) {
  p = std::clamp(p, 1 - kNearlyOne, kNearlyOne);
  return std::log(p / (1 - p));
}

// Weighted sum of logarithms of three probabilities and of the first three answers, as probabilities.
std::array<double, 3> MixSides(const std::array<double, 3>& first, const Answers& second, const Adapter::Mix& mix) {
  std::array<double, 3> out{};
  double all = 0, top = -1e30;
  for (size_t i = 0; i < 3; ++i) {
    out[i] = double{mix.side_first} * std::log(std::max(first[i], 1 - kNearlyOne)) + double{mix.side_second} * second[i];
    top = std::max(top, out[i]);
  }
  for (double& x : out) all += x = std::exp(x - top);
  for (double& x : out) x /= all;
  return out;
}

void MixStance(const Answers& answers, const Adapter::Mix& mix, double relevance, std::array<double, 3>* stance) {
  const double present_first = (*stance)[0] + (*stance)[1] + (*stance)[2];
  const double present_second = std::exp(double{answers[0]}) + std::exp(double{answers[1]}) + std::exp(double{answers[2]});
  const double log_odds = double{mix.present_offset} + double{mix.present_first} * LogOdds(present_first / std::max(relevance, 1e-9)) +
                          double{mix.present_second} * LogOdds(present_second);
  const double present = relevance * Sigmoid(log_odds);
  std::array<double, 3> sides = *stance;
  for (double& s : sides) s /= std::max(present_first, 1e-12);
  *stance = MixSides(sides, answers, mix);
  for (double& s : *stance) s *= present;
}

// Themes and stances are given relevance, so they rise and fall with it.
void MixRelevance(const Answers& answers, const Adapter::Mix& mix, Scores* scores) {
  const double log_odds = double{mix.present_offset} + double{mix.present_first} * LogOdds(scores->relevance) +
                          double{mix.present_second} * (double{answers[0]} - answers[1]);
  const double factor = Sigmoid(log_odds) / std::max(scores->relevance, 1e-9);
  scores->relevance *= factor;
  for (double& theme : scores->themes) theme *= factor;
  for (auto& sides : scores->stance)
    for (double& side : sides) side *= factor;
}

}  // namespace

base::Result<Adapter> Adapter::Load(const std::string& path) {
  RW_ASSIGN_OR_RETURN(std::shared_ptr<const GgufFile> file, GgufFile::Open(path));
  Adapter a;
  RW_ASSIGN_OR_RETURN(const std::string_view taxonomy, file->Text("racewatch.taxonomy"));
  if (taxonomy != base::kTaxonomyVersion)
    return base::FailedPrecondition("load " + path + ": taxonomy " + std::string(taxonomy) + ", " + std::string(base::kTaxonomyVersion) + " expected");
  RW_ASSIGN_OR_RETURN(a.version, file->Text("racewatch.version"));
  RW_ASSIGN_OR_RETURN(a.base_sha256, file->Text("racewatch.base_sha256"));
  RW_ASSIGN_OR_RETURN(const uint64_t layers, file->Count("racewatch.layers"));
  RW_ASSIGN_OR_RETURN(const uint64_t tokens, file->Count("racewatch.beginning_tokens"));
  RW_ASSIGN_OR_RETURN(const double relevance_min, file->Real("racewatch.relevance_min"));
  RW_ASSIGN_OR_RETURN(const double presence_min, file->Real("racewatch.presence_min"));
  RW_RETURN_IF_ERROR(ReadQuestions(*file, &a.questions));
  RW_RETURN_IF_ERROR(ReadMix(*file, "racewatch.stance_mix", &a.stance));
  RW_RETURN_IF_ERROR(ReadMix(*file, "racewatch.lean_mix", &a.lean));
  const auto asks = [](const Question& question) { return question.kind == Question::kRelevance; };
  if (std::any_of(a.questions.begin(), a.questions.end(), asks)) RW_RETURN_IF_ERROR(ReadMix(*file, "racewatch.relevance_mix", &a.relevance));
  const GgufTensor* head = file->Find("head.weight");
  const uint64_t outputs = a.questions.size() * kAnswers;
  RW_ASSIGN_OR_RETURN(const GgufTensor* weights, file->Tensor("head.weight", head ? head->columns : 0, outputs));
  RW_ASSIGN_OR_RETURN(const GgufTensor* bias, file->Tensor("head.bias", outputs, 1));
  a.layers = static_cast<uint32_t>(layers), a.beginning_tokens = static_cast<uint32_t>(tokens);
  a.relevance_min = static_cast<float>(relevance_min), a.presence_min = static_cast<float>(presence_min);
  a.width = weights->columns;
  a.weights.resize(outputs * a.width), a.bias.resize(outputs);
  Dequantize(*weights, 0, outputs, a.weights.data());
  Dequantize(*bias, 0, 1, a.bias.data());
  a.file = std::move(file);
  return a;
}

std::vector<size_t> Adapter::ToAsk(const Scores& scores) const {
  std::vector<size_t> out;
  if (scores.relevance < double{relevance_min}) return out;
  for (size_t q = 0; q < questions.size(); ++q) {
    const auto& sides = scores.stance[questions[q].target];
    if (questions[q].kind != Question::kStance || sides[0] + sides[1] + sides[2] >= double{presence_min} * scores.relevance) out.push_back(q);
  }
  return out;
}

std::vector<Answers> Adapter::Read(const std::vector<size_t>& asked, const std::vector<float>& states) const {
  std::vector<Answers> out(asked.size());
  for (size_t q = 0; q < asked.size(); ++q) {
    const float* state = states.data() + q * width;
    double all = 0;
    for (size_t i = 0; i < kAnswers; ++i) {
      const size_t output = asked[q] * kAnswers + i;
      double sum = bias[output];
      for (size_t d = 0; d < width; ++d) sum += double{weights[output * width + d]} * state[d];
      out[q][i] = static_cast<float>(sum);
    }
    const float top = *std::max_element(out[q].begin(), out[q].end());
    for (const float x : out[q]) all += std::exp(double{x} - top);
    for (float& x : out[q]) x = static_cast<float>(double{x} - top - std::log(all));
  }
  return out;
}

void Adapter::MixIn(const std::vector<size_t>& asked, const std::vector<Answers>& answers, Scores* scores) const {
  for (size_t i = 0; i < asked.size(); ++i) {
    const Question& question = questions[asked[i]];
    switch (question.kind) {
      case Question::kStance: MixStance(answers[i], stance, scores->relevance, &scores->stance[question.target]); break;
      case Question::kLean: scores->lean = MixSides(scores->lean, answers[i], lean); break;
      case Question::kRelevance: MixRelevance(answers[i], relevance, scores); break;
    }
  }
}

}  // namespace racewatch::classify
