#include "classify/model/lexicon.h"

#include <algorithm>
#include <map>

#include "classify/model/hash.h"

namespace racewatch::classify {
namespace {

constexpr uint32_t kTermTokensMax = 10;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Adds a term and marks its beginnings as such.
void AddTerm(std::string_view term, uint64_t classes, const FoldTable& fold, std::map<uint64_t, LexiconEntry>* all) {
  std::vector<Token> tokens;
  ScriptCounts scripts;
  Tokenise("", term, fold, &tokens, &scripts);
  const auto count = static_cast<uint32_t>(std::min<size_t>(tokens.size(), kTermTokensMax));
  uint64_t hash = 0;
  for (uint32_t i = 0; i < count; ++i) {
    hash = Combine(hash, StemHash(tokens[i], term.substr(tokens[i].start - 1, tokens[i].length)));
    LexiconEntry& entry = all->try_emplace(hash, LexiconEntry{hash, 0, 0, 0}).first->second;
    if (i + 1 < count) {
      entry.more = 1;
    } else {
      entry.tokens = count;
      entry.classes |= classes;
    }
  }
}

}  // namespace

uint32_t LexiconClasses::Find(std::string_view name) const {
  for (uint32_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  return 63;
}

Lexicon::Lexicon(LexiconClasses classes, std::span<const LexiconEntry> entries)
    : classes_(std::move(classes)), entries_(entries.begin(), entries.end()) {
  BuildTable();
}

base::Result<Lexicon> Lexicon::Parse(std::string_view file_name, std::string_view content, const FoldTable& fold) {
  LexiconClasses classes;
  std::map<uint64_t, LexiconEntry> all;
  size_t line_number = 0;
  for (std::string_view line : Split(content, '\n')) {
    ++line_number;
    if (line.empty() || line[0] == '#') continue;
    const auto fail = [&](std::string_view what) {
      return base::InvalidArgument(std::string(file_name) + ":" + std::to_string(line_number) + ": " + std::string(what));
    };
    const auto fields = Split(line, '\t');
    if (fields.size() != 3) return fail("expected NAME, kind and terms, separated by tabs");
    const bool hides = fields[1] == "none";
    if (classes.names.size() >= 63) return fail("more than 63 classes");
    const uint64_t bit = uint64_t{1} << classes.names.size();
    if (fields[1] == "actor") classes.actors |= bit;
    else if (fields[1] == "concept") classes.concepts |= bit;
    else if (fields[1] != "topic" && !hides) return fail("kind is none of actor, concept, topic, none");
    if (!hides) classes.names.emplace_back(fields[0]);
    for (std::string_view term : Split(fields[2], '|')) AddTerm(term, hides ? 0 : bit, fold, &all);
  }
  std::vector<LexiconEntry> entries;
  for (const auto& [hash, entry] : all) entries.push_back(entry);
  return Lexicon(std::move(classes), entries);
}

void Lexicon::BuildTable() {
  size_t size = 16;
  while (size < 2 * entries_.size()) size *= 2;
  table_.assign(size, Slot{0, 0});
  mask_ = size - 1;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    uint64_t slot = entries_[i].hash & mask_;
    while (table_[slot].entry) slot = (slot + 1) & mask_;
    table_[slot] = {static_cast<uint32_t>(entries_[i].hash >> 32), i + 1};
  }
}

const LexiconEntry* Lexicon::Find(uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (uint64_t slot = hash & mask_; table_[slot].entry; slot = (slot + 1) & mask_)
    if (table_[slot].tag == tag)
      if (const LexiconEntry& entry = entries_[table_[slot].entry - 1]; entry.hash == hash) return &entry;
  return nullptr;
}

void Lexicon::Match(std::span<const Token> tokens, std::span<const uint64_t> stems,
                    std::vector<LexiconHit>* hits) const {
  hits->clear();
  if (entries_.empty()) return;
  uint64_t covered_classes = 0;  // of the hit that reaches furthest
  size_t covered_until = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    uint64_t hash = 0, classes = 0;
    uint32_t longest = 0;
    bool hidden = false;
    for (uint32_t n = 0; n < kTermTokensMax && i + n < tokens.size(); ++n) {
      if (n > 0 && (tokens[i + n].flags & Token::kClauseStart)) break;
      hash = Combine(hash, stems[i + n]);
      const LexiconEntry* entry = Find(hash);
      if (!entry) break;
      if (entry->tokens) {
        longest = n + 1;
        hidden = entry->classes == 0;
        classes = hidden ? 0 : classes | entry->classes;
      }
      if (!entry->more) break;
    }
    if (!longest) continue;
    if (i < covered_until) classes &= ~covered_classes;
    if (i + longest > covered_until) {
      covered_until = i + longest;
      covered_classes = hidden ? ~uint64_t{0} : classes;
    }
    if (classes) hits->push_back({classes, static_cast<uint32_t>(i), longest});
  }
}

}  // namespace racewatch::classify
