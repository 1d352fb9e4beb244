// Real texts that may be read and labelled but not kept: a folder holds what training needs of them, the labels
// with their source (`labels.jsonl`) and how often each feature occurs (`counts.msgpack.gz`), and not the texts.
// Features that only one outlet shows are left out, since no model holds them. Training on the counts gives the
// model that the texts would give. The counts belong to the tokeniser and the lexicon that made them and are
// refused under others. Plain data; no threads.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "classify/model/decision.h"
#include "classify/model/features.h"

namespace racewatch::classify {

struct CountedText {
  std::array<DocumentFeatures, kScopes> rows, gate;  // as ExtractFeatures gives them for each scope
  size_t bytes = 0;                                  // of the text
};

using FeatureNameMap = std::unordered_map<uint64_t, std::string>;

// Reads labelled texts, JSON lines of the corpus format, and writes their folder. `others`: what they will be trained
// with, which decides what more than one outlet shows. Errors of reading and writing, with the file's name.
base::Status WriteCounted(const std::string& texts, const std::vector<LabelledDocument>& others, const Lexicon& lexicon,
                          const FoldTable& fold, const std::string& folder);

// Appends the documents of a folder and the names of features that none of `others` had. NOT_FOUND, INVALID_ARGUMENT
// with the file's name, or FAILED_PRECONDITION when tokeniser or lexicon have changed since.
base::Status ReadCounted(const std::string& folder, const Lexicon& lexicon, const FoldTable& fold,
                         std::vector<LabelledDocument>* documents, FeatureNameMap* names);

}  // namespace racewatch::classify
