#include <unordered_map>

#include "classify/model/training.h"

namespace racewatch::classify {
namespace {

// The words of an n-gram as the explanation shows them: lower case, one space where the text has any.
std::string Readable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool space = static_cast<unsigned char>(c) <= ' ';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

}  // namespace

std::vector<std::string> FeatureNames(const std::vector<LabelledDocument>& documents, const Vocabulary& vocabulary,
                                      const Lexicon& lexicon, const FoldTable& fold) {
  std::vector<std::string> names(vocabulary.rows.size());
  std::unordered_map<uint64_t, uint32_t> unnamed;
  for (uint32_t i = 0; i < names.size(); ++i) unnamed[vocabulary.rows[i].hash] = i;
  const ConceptRules rules(lexicon.classes());
  Analysis analysis;
  for (const LabelledDocument& d : documents) {
    analysis.ReadTokens(d.title, d.text, fold);
    const auto name_ngram = [&](const char* prefix) {
      return [&, prefix](uint64_t hash, uint32_t first, uint32_t count) {
        const auto it = unnamed.find(hash);
        if (it == unnamed.end()) return;
        const Token &a = analysis.tokens[first], &z = analysis.tokens[first + count - 1];
        names[it->second] = prefix + Readable(Bytes(d.title, d.text, a.start, z.start + z.length - a.start));
        unnamed.erase(it);
      };
    };
    ForEachNgram(analysis.tokens, kNgramTokensMax, name_ngram(""));
    ForEachTitleNgram(analysis.tokens, name_ngram("title:"));
    analysis.ReadConcepts(d.title, d.text, lexicon, rules);
    for (const ConceptFeature& feature : analysis.concepts) {
      const auto it = unnamed.find(feature.hash());
      if (it == unnamed.end()) continue;
      names[it->second] = FeatureName(feature, lexicon.classes());
      unnamed.erase(it);
    }
  }
  return names;
}

}  // namespace racewatch::classify
