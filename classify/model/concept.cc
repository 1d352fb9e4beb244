#include "classify/model/concept.h"

#include <algorithm>
#include <bit>

namespace racewatch::classify {
namespace {

// A sentence longer than this many hits is a list; its further hits are counted but make no statements.
constexpr size_t kElementsMax = 24;

std::string ClassName(uint8_t code, const LexiconClasses& classes) {
  const uint8_t id = code & 63;
  const std::string name = id < classes.names.size() ? classes.names[id] : "?";
  return code & kNegated ? "!" + name : name;
}

}  // namespace

std::string FeatureName(const ConceptFeature& f, const LexiconClasses& classes) {
  const auto name = [&](uint8_t code) { return ClassName(code, classes); };
  switch (f.kind) {
    case FeatureKind::kClassCount: return "class:" + name(f.a);
    case FeatureKind::kClassTitle: return "title:" + name(f.a);
    case FeatureKind::kClassDense: return "dense:" + name(f.a);
    case FeatureKind::kClassTogether: return "together:" + name(f.a) + "+" + name(f.b) + (f.c == kNoClass || f.c == f.b ? f.c == f.b ? " by name" : "" : "+" + name(f.c));
    case FeatureKind::kPair: return "pair:" + name(f.a) + "+" + name(f.b);
    case FeatureKind::kDeed: return "deed:" + name(f.a) + ">" + name(f.b) + ">" + name(f.c);
    case FeatureKind::kAhead: return "ahead:" + name(f.a);
    case FeatureKind::kSpeaker: return "says:" + name(f.a) + ":" + name(f.b);
    case FeatureKind::kQuoted: return "quoted:" + name(f.a);
    default: break;
  }
  std::string text = "concept:" + name(f.a);
  if (f.b != kNoClass) text += ">" + name(f.b);
  if (f.c != kNoClass) text += ">" + name(f.c);
  return text;
}

ConceptRules::ConceptRules(const LexiconClasses& classes)
    : cn(classes.Find("CN")), us(classes.Find("US")), third(classes.Find("THIRD")), cn_firm(classes.Find("CNFIRM")),
      us_firm(classes.Find("USFIRM")), ai(classes.Find("AI")), neg(classes.Find("NEG")), say(classes.Find("SAY")),
      should(classes.Find("SHOULD")), passive(classes.Find("PASSIVE")), than(classes.Find("THAN")),
      lead(classes.Find("LEAD")), catch_up(classes.Find("CATCH")), pass(classes.Find("PASS")), lag(classes.Find("LAG")) {
  stream = classes.actors | classes.concepts;
  for (size_t i = 0; i < classes.names.size(); ++i)
    if (const uint64_t bit = uint64_t{1} << i; !(stream & bit)) topics |= bit;
}

void ConceptStream::Extract(std::span<const Token> tokens, std::span<const LexiconHit> hits, const ConceptRules& rules,
                            std::vector<ConceptFeature>* out) {
  out->clear();
  size_t first = 0;
  uint32_t token = 0;
  for (size_t i = 0; i < hits.size(); ++i) {
    bool starts = false;
    for (; token <= hits[i].first; ++token) starts |= (tokens[token].flags & Token::kSentenceStart) != 0;
    if (starts && i > first) {
      Sentence(tokens, hits, first, i, rules, out);
      first = i;
    }
  }
  if (first < hits.size()) Sentence(tokens, hits, first, hits.size(), rules, out);
}

void ConceptStream::Sentence(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first,
                             size_t last, const ConceptRules& rules, std::vector<ConceptFeature>* out) {
  Counts(tokens, hits, first, last, rules, out);
  BuildElements(tokens, hits, first, last, rules);
  Grams(out);
  Pairs(rules, out);
  Deeds(rules, out);
  if (has_say_) Speakers(rules, out);
}

void ConceptStream::Counts(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first, size_t last,
                           const ConceptRules& rules, std::vector<ConceptFeature>* out) const {
  uint64_t once = 0, twice = 0;
  for (size_t i = first; i < last; ++i) {
    const bool title = tokens[hits[i].first].flags & Token::kTitle;
    twice |= once & hits[i].classes;
    once |= hits[i].classes;
    const auto hit = static_cast<uint32_t>(i);
    for (uint64_t rest = hits[i].classes; rest; rest &= rest - 1) {
      const auto id = static_cast<uint8_t>(std::countr_zero(rest));
      out->push_back({FeatureKind::kClassCount, id, kNoClass, kNoClass, hit, hit});
      if (title) out->push_back({FeatureKind::kClassTitle, id, kNoClass, kNoClass, hit, hit});
    }
  }
  const auto a = static_cast<uint32_t>(first), z = static_cast<uint32_t>(last - 1);
  for (uint64_t rest = twice & rules.topics; rest; rest &= rest - 1)
    out->push_back({FeatureKind::kClassDense, static_cast<uint8_t>(std::countr_zero(rest)), kNoClass, kNoClass, a, z});
  const auto has = [&](uint32_t id) { return (once >> id & 1) != 0; };
  const bool china = has(rules.cn) || has(rules.cn_firm), america = has(rules.us) || has(rules.us_firm);
  const auto together = [&](uint32_t x, uint32_t y, uint32_t w) {
    out->push_back({FeatureKind::kClassTogether, static_cast<uint8_t>(x), static_cast<uint8_t>(y), static_cast<uint8_t>(w), a, z});
  };
  if (china && america) together(rules.cn, rules.us, kNoClass);
  if (has(rules.cn) && has(rules.us)) together(rules.cn, rules.us, rules.us);
  if (has(rules.ai) && (has(rules.cn) || has(rules.us))) together(rules.ai, has(rules.cn) ? rules.cn : rules.us, kNoClass);
  if (has(rules.ai) && china && america) together(rules.ai, rules.cn, rules.us);
}

void ConceptStream::BuildElements(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first,
                                  size_t last, const ConceptRules& rules) {
  elements_.clear();
  has_say_ = false;
  uint16_t clause = 0;
  bool negated = false;
  uint32_t token = hits[first].first, negated_at = 0;
  for (size_t i = first; i < last && elements_.size() < kElementsMax; ++i) {
    for (; token <= hits[i].first; ++token)
      if (tokens[token].flags & Token::kClauseStart) ++clause, negated = false;
    for (uint64_t rest = hits[i].classes & rules.stream; rest; rest &= rest - 1) {
      const auto id = static_cast<uint32_t>(std::countr_zero(rest));
      if (id == rules.neg) {
        negated = !negated;
        negated_at = hits[i].first;
        continue;
      }
      const bool actor = id == rules.cn || id == rules.us || id == rules.third || id == rules.cn_firm || id == rules.us_firm;
      uint32_t code = id == rules.cn_firm ? rules.cn : id == rules.us_firm ? rules.us : id;
      const bool form = id == rules.say || id == rules.should || id == rules.passive || id == rules.than || id == rules.ai;
      if (id == rules.say) has_say_ = true;
      // A negation reaches the next concept of its clause, six tokens on at most.
      if (negated && !actor && !form) {
        if (hits[i].first - negated_at <= 6) code |= kNegated;
        negated = false;
      }
      if (!elements_.empty() && elements_.back().code == code) continue;
      const bool quoted = tokens[hits[i].first].flags & Token::kQuoted;
      elements_.push_back({static_cast<uint8_t>(code), actor, clause, static_cast<uint32_t>(i), quoted});
    }
  }
}

void ConceptStream::Grams(std::vector<ConceptFeature>* out) const {
  for (size_t i = 0; i < elements_.size(); ++i) {
    const Element& e = elements_[i];
    if (e.code & kNegated || !e.actor)
      out->push_back({FeatureKind::kConcept, e.code, kNoClass, kNoClass, e.hit, e.hit});
    if (e.quoted) out->push_back({FeatureKind::kQuoted, e.code, kNoClass, kNoClass, e.hit, e.hit});
    if (i + 1 < elements_.size())
      out->push_back({FeatureKind::kConcept, e.code, elements_[i + 1].code, kNoClass, e.hit, elements_[i + 1].hit});
    if (i + 2 < elements_.size())
      out->push_back({FeatureKind::kConcept, e.code, elements_[i + 1].code, elements_[i + 2].code, e.hit, elements_[i + 2].hit});
  }
}

// An actor, or a "should", with every concept of its clause.
void ConceptStream::Pairs(const ConceptRules& rules, std::vector<ConceptFeature>* out) const {
  for (const Element& actor : elements_) {
    if (!actor.actor && actor.code != rules.should) continue;
    for (const Element& deed : elements_)
      if (!deed.actor && deed.clause == actor.clause && deed.code != actor.code)
        out->push_back({FeatureKind::kPair, actor.code, deed.code, kNoClass, std::min(actor.hit, deed.hit), std::max(actor.hit, deed.hit)});
  }
}

// Who does what to whom: the actors on both sides of a concept, turned round after "by" or 被, and "A than
// B concept" (A 比 B 强) read as A concept B. From lead, pass, catch up and lag follows who is ahead.
void ConceptStream::Deeds(const ConceptRules& rules, std::vector<ConceptFeature>* out) const {
  for (size_t i = 0; i < elements_.size(); ++i) {
    const Element& deed = elements_[i];
    if (deed.actor || deed.code == rules.say || deed.code == rules.passive || deed.code == rules.than) continue;
    const Element *before = nullptr, *earlier = nullptr, *after = nullptr;
    bool passive = false, than = false, suffered = false, by = false;
    for (size_t j = i; j-- > 0;) {
      if (elements_[j].code == rules.passive) (before ? passive : suffered) = true;  // A 被 B deed; A 被 deed
      if (elements_[j].code == rules.than && before) than = true;
      if (!elements_[j].actor) continue;
      if (!before) before = &elements_[j];
      else if (!earlier) { earlier = &elements_[j]; break; }
    }
    for (size_t j = i + 1; j < elements_.size() && !after; ++j) {
      if (elements_[j].code == rules.passive) by = true;
      if (elements_[j].actor) after = &elements_[j];
    }
    const Element *who = before, *whom = after;
    if (than && earlier) who = earlier, whom = before;
    else if (passive && earlier) who = before, whom = earlier;
    else if (by) std::swap(who, whom);
    else if (suffered) who = nullptr, whom = before;
    if (!who && !whom) continue;
    const uint8_t a = who ? who->code : kNoClass, c = whom ? whom->code : kNoClass;
    const uint32_t low = std::min({who ? who->hit : deed.hit, whom ? whom->hit : deed.hit, deed.hit});
    const uint32_t high = std::max({who ? who->hit : deed.hit, whom ? whom->hit : deed.hit, deed.hit});
    if (who) out->push_back({FeatureKind::kDeed, a, deed.code, kNoClass, low, high});
    if (who && whom) out->push_back({FeatureKind::kDeed, a, deed.code, c, low, high});
    const uint8_t plain = deed.code & 63;
    const bool up = plain == rules.lead || plain == rules.pass || plain == rules.catch_up, down = plain == rules.lag;
    if (!who || (!up && !down) || (a != rules.cn && a != rules.us)) continue;
    const bool ahead = up != ((deed.code & kNegated) != 0);
    const bool china = (a == rules.cn) == ahead;
    out->push_back({FeatureKind::kAhead, static_cast<uint8_t>(china ? rules.cn : rules.us), kNoClass, kNoClass, low, high});
  }
}

// The last actor before the verb of saying speaks the sentence.
void ConceptStream::Speakers(const ConceptRules& rules, std::vector<ConceptFeature>* out) const {
  const Element* speaker = nullptr;
  for (const Element& e : elements_) {
    if (e.code == rules.say) break;
    if (e.actor) speaker = &e;
  }
  if (!speaker) return;
  for (const Element& e : elements_)
    if (!e.actor && e.code != rules.say && e.hit != speaker->hit)
      out->push_back({FeatureKind::kSpeaker, speaker->code, e.code, kNoClass, std::min(e.hit, speaker->hit), std::max(e.hit, speaker->hit)});
}

}  // namespace racewatch::classify
