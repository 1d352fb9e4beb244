// What a language model learnt for the second tier, a GGUF file of a few megabytes that ships with racewatch: the questions
// it is asked, low-rank changes of its weights (read by transformer.h), one linear head per question, and how much its
// answers count beside those of the first tier. It belongs to one model file, which it names by SHA-256. Plain data.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "classify/model/model.h"

namespace racewatch::classify {

class GgufFile;

// favor, against, neutral, absent; us, china, neutral of the lean; relevant, irrelevant.
inline constexpr size_t kAnswers = 4;
using Answers = std::array<float, kAnswers>;  // logarithms of probabilities that add up to one

struct Adapter {
  struct Question {
    enum Kind { kStance, kLean, kRelevance } kind = kStance;
    size_t target = 0;  // of a stance question
    std::string text;
  };
  // Log-odds that a target is present (or the text relevant) = offset + first x those of the first tier + second x those of
  // the answers; the logarithms of the sides (or leans) are added with their weights likewise.
  struct Mix {
    float present_offset = 0, present_first = 0, present_second = 1;
    float side_first = 0, side_second = 1;
  };

  // `path` with the questions in taxonomy order. FAILED_PRECONDITION names what is missing or does not fit; errors as GgufFile::Open.
  static base::Result<Adapter> Load(const std::string& path);
  // Which of the questions to ask of a document with these scores: none if it is hardly relevant, else those about the lean,
  // about relevance, and about targets that may be present. Indices in ascending order.
  std::vector<size_t> ToAsk(const Scores& scores) const;
  // `states`: the state behind each question of `asked`, asked × width.
  std::vector<Answers> Read(const std::vector<size_t>& asked, const std::vector<float>& states) const;
  // Puts what `answers` say into `scores`, question by question.
  void MixIn(const std::vector<size_t>& asked, const std::vector<Answers>& answers, Scores* scores) const;

  std::string version;         // "s3"
  std::string base_sha256;     // of the language model it was trained with
  uint32_t layers = 0;         // of that, from the first
  uint32_t beginning_tokens = 0;  // a document is cut to so many
  size_t width = 0;
  std::vector<Question> questions;
  std::vector<float> weights;  // questions × kAnswers × width
  std::vector<float> bias;     // questions × kAnswers
  Mix stance, lean, relevance;
  float relevance_min = 0;  // nothing is asked of documents whose probability of relevance is below
  float presence_min = 0;   // nor about targets whose probability is, given relevance
  std::shared_ptr<const GgufFile> file;  // holds the changes of weights
};

}  // namespace racewatch::classify
