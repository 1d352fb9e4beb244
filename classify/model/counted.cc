#include "classify/model/counted.h"

#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "classify/model/corpus.h"
#include "classify/model/gzip.h"
#include "classify/model/training.h"

namespace racewatch::classify {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr const char* kScopeKeys[kScopes] = {"title", "summary", "full"};

std::string LabelsPath(const std::string& folder) { return folder + "/labels.jsonl"; }
std::string CountsPath(const std::string& folder) { return folder + "/counts.msgpack.gz"; }

base::Status Write(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  return out ? base::Status::Ok() : base::Unavailable("write " + path + ": " + std::strerror(errno));
}

// Differs when tokeniser, folding, lexicon or concept rules read these sentences otherwise.
uint64_t Fingerprint(const Lexicon& lexicon, const FoldTable& fold) {
  LabelledDocument d;
  d.title = "Washington's chip rule: 中美晶片之爭";
  d.text = "Analysts say the U.S. hasn't won; DeepSeek's open-weight model (R1) has caught up with OpenAI, at 5% of the cost.\n"
           "Should Congress tighten export controls? “They failed,” Huawei said. 美国不应放松对华出口管制，但中国大模型并未落后于美国。"
           "La Chine rattrape-t-elle les États-Unis ? КНР догоняет США.";
  for (const std::string& name : lexicon.classes().names) d.text += "\n" + name;
  Analysis analysis;
  uint64_t sum = 0;
  for (const LexiconEntry& entry : lexicon.entries()) {
    const uint64_t key[3] = {entry.hash, entry.classes, entry.tokens};
    sum = XXH64(key, sizeof key, sum);
  }
  for (const FeatureCount& f : ExtractFeatures(d, fold, lexicon, ConceptRules(lexicon.classes()), false, &analysis)) {
    const uint64_t key[3] = {f.hash, f.count, static_cast<uint64_t>(f.kind)};
    sum = XXH64(key, sizeof key, sum);
  }
  return sum;
}

LabelledDocument Cut(const LabelledDocument& d, size_t scope) {
  LabelledDocument cut = d;
  if (scope != kFullScope) Shorten(scope == kTitleScope ? 0 : kSummaryCopyBytes, &cut);
  return cut;
}

// Features by their number in the vocabulary, as differences, each followed by its count.
json Pack(const DocumentFeatures& features, const Vocabulary& vocabulary) {
  json packed = json::array();
  int64_t last = -1;
  for (const FeatureCount& f : features) {
    const int64_t row = vocabulary.Find(f.hash);
    if (row < 0) continue;
    packed.push_back(row - last);
    packed.push_back(f.count);
    last = row;
  }
  return packed;
}

DocumentFeatures Unpack(const json& packed, const Vocabulary& vocabulary) {
  DocumentFeatures features;
  int64_t row = -1;
  for (size_t i = 0; i + 1 < packed.size(); i += 2) {
    row += packed[i].get<int64_t>();
    const Vocabulary::Row& of = vocabulary.rows.at(static_cast<size_t>(row));
    features.push_back({of.hash, packed[i + 1].get<uint32_t>(), of.kind});
  }
  return features;
}

// What the gate reads of them: the shorter n-grams.
DocumentFeatures GatePart(const DocumentFeatures& features, const std::vector<bool>& in_gate, const Vocabulary& vocabulary) {
  DocumentFeatures part;
  for (const FeatureCount& f : features)
    if (in_gate[static_cast<size_t>(vocabulary.Find(f.hash))]) part.push_back(f);
  return part;
}

// The object without what may not be kept.
json WithoutText(json object, const LabelledDocument& d) {
  object.erase("title");
  object.erase("text");
  object["title_key"] = TitleKey(d.title);
  object["bytes"] = d.text.size();
  return object;
}

base::Status ReadTexts(const std::string& path, std::vector<LabelledDocument>* texts, std::string* labels) {
  RW_ASSIGN_OR_RETURN(const std::string content, ReadPlainOrGzip(path));
  std::istringstream lines(content);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    try {
      const json object = json::parse(line);
      if (IsHeldOut(object.value("repo", ""))) continue;
      texts->push_back(FromJson(object, false));
      *labels += WithoutText(object, texts->back()).dump() + "\n";
    } catch (const json::exception& error) {
      return base::InvalidArgument(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  return base::Status::Ok();
}

// Features of all scopes of the texts, then of the others' full ones.
struct Extracted {
  std::vector<std::array<DocumentFeatures, kScopes>> texts;
  std::vector<bool> in_gate;
  Vocabulary vocabulary;  // what the texts show and more than one group knows
};

Extracted Extract(const std::vector<LabelledDocument>& texts, const std::vector<LabelledDocument>& others, const Lexicon& lexicon, const FoldTable& fold) {
  Extracted result;
  Analysis analysis;
  const ConceptRules rules(lexicon.classes());
  const auto read = [&](const LabelledDocument& d, bool gate) { return ExtractFeatures(d, fold, lexicon, rules, gate, &analysis); };
  std::vector<DocumentFeatures> all;
  std::vector<LabelledDocument> documents = texts;
  documents.insert(documents.end(), others.begin(), others.end());
  std::unordered_map<uint64_t, bool> shown;  // by the texts; whether the gate reads it
  for (const LabelledDocument& d : texts) {
    auto& scopes = result.texts.emplace_back();
    for (size_t scope = 0; scope < kScopes; ++scope) scopes[scope] = read(Cut(d, scope), false);
    all.push_back(scopes[kFullScope]);
    for (const FeatureCount& f : all.back()) shown.emplace(f.hash, false);
    for (const FeatureCount& f : read(d, true)) shown[f.hash] = true;
  }
  for (const LabelledDocument& d : others) all.push_back(d.counted ? d.counted->rows[kFullScope] : read(d, false));
  std::vector<uint32_t> numbers(documents.size());
  for (uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  for (const Vocabulary::Row& row : BuildVocabulary(all, numbers, Groups(documents)).rows)
    if (const auto it = shown.find(row.hash); it != shown.end()) result.vocabulary.rows.push_back(row), result.in_gate.push_back(it->second);
  return result;
}

}  // namespace

base::Status WriteCounted(const std::string& texts_path, const std::vector<LabelledDocument>& others, const Lexicon& lexicon,
                          const FoldTable& fold, const std::string& folder) {
  std::vector<LabelledDocument> texts;
  std::string labels;
  RW_RETURN_IF_ERROR(ReadTexts(texts_path, &texts, &labels));
  if (texts.empty()) return base::InvalidArgument(texts_path + ": no texts");
  const Extracted extracted = Extract(texts, others, lexicon, fold);
  const std::vector<std::string> known = FeatureNames(others, extracted.vocabulary, lexicon, fold);
  std::vector<std::string> names = FeatureNames(texts, extracted.vocabulary, lexicon, fold);
  json counts = {{"format", kFormat}, {"fingerprint", Fingerprint(lexicon, fold)}};
  json& rows = counts["rows"] = json::array();
  for (size_t i = 0; i < extracted.vocabulary.rows.size(); ++i) {
    const Vocabulary::Row& row = extracted.vocabulary.rows[i];
    rows.push_back({row.hash, static_cast<int>(row.kind), extracted.in_gate[i], known[i].empty() ? names[i] : ""});
  }
  json& documents = counts["documents"] = json::object();
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t scope = 0; scope < kScopes; ++scope)
      documents[texts[i].id][kScopeKeys[scope]] = Pack(extracted.texts[i][scope], extracted.vocabulary);
  const std::vector<uint8_t> bytes = json::to_msgpack(counts);
  RW_RETURN_IF_ERROR(Write(LabelsPath(folder), labels));
  return Write(CountsPath(folder), Gzip({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

namespace {

base::Status ReadFolder(const std::string& folder, const json& counts, const std::string& labels, std::vector<LabelledDocument>* documents, FeatureNameMap* names) {
  Vocabulary vocabulary;
  std::vector<bool> in_gate;
  for (const json& row : counts.at("rows")) {
    vocabulary.rows.push_back({row.at(0).get<uint64_t>(), static_cast<FeatureKind>(row.at(1).get<int>()), 0});
    in_gate.push_back(row.at(2).get<bool>());
    if (const auto& name = row.at(3).get_ref<const std::string&>(); !name.empty()) names->emplace(vocabulary.rows.back().hash, name);
  }
  std::istringstream lines(labels);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    const json object = json::parse(line);
    if (IsHeldOut(object.value("repo", ""))) return base::InvalidArgument(LabelsPath(folder) + ":" + std::to_string(number) + ": a text of a held-out repository");
    LabelledDocument d = FromJson(object, false);
    auto counted = std::make_shared<CountedText>();
    counted->bytes = object.at("bytes").get<size_t>();
    for (size_t scope = 0; scope < kScopes; ++scope) {
      counted->rows[scope] = Unpack(counts.at("documents").at(d.id).at(kScopeKeys[scope]), vocabulary);
      counted->gate[scope] = GatePart(counted->rows[scope], in_gate, vocabulary);
    }
    d.counted = std::move(counted);
    documents->push_back(std::move(d));
  }
  return base::Status::Ok();
}

}  // namespace

base::Status ReadCounted(const std::string& folder, const Lexicon& lexicon, const FoldTable& fold,
                         std::vector<LabelledDocument>* documents, FeatureNameMap* names) {
  RW_ASSIGN_OR_RETURN(const std::string labels, ReadFile(LabelsPath(folder)));
  RW_ASSIGN_OR_RETURN(const std::string packed, ReadFile(CountsPath(folder)));
  RW_ASSIGN_OR_RETURN(const std::string bytes, Gunzip(CountsPath(folder), packed));
  try {
    const json counts = json::from_msgpack(bytes);
    if (counts.at("format") != kFormat) return base::FailedPrecondition(CountsPath(folder) + ": format " + counts.at("format").dump() + ", not " + std::to_string(kFormat));
    if (counts.at("fingerprint") != Fingerprint(lexicon, fold))
      return base::FailedPrecondition(CountsPath(folder) + ": counted by another tokeniser or lexicon; count the texts again (racewatch count)");
    return ReadFolder(folder, counts, labels, documents, names);
  } catch (const std::exception& error) {  // json, and numbers beyond the table
    return base::InvalidArgument("read " + folder + ": " + error.what());
  }
}

}  // namespace racewatch::classify
