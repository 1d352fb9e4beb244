#include "classify/model/model.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "classify/model/evidence.h"
#include "classify/model/label.h"
#include "classify/model/language.h"
#include "classify/model/model_file.h"
#include "classify/model/reader.h"
#include "classify/model/second_tier.h"
#include "racewatch/v1/classifier_service.pb.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::classify {

// Below this probability of the gate a document is not looked at further (trainer.h measures what it costs).
inline constexpr double kGateProbabilityMin = 0.05;
inline constexpr size_t kEvidencePerLabel = 5;
inline constexpr int kSpansPerContribution = 16;

struct Scratch::Impl {
  Reader reader;
  std::vector<EvidenceSpan> spans;
};

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

struct Model::Impl {
  Impl(std::unique_ptr<ModelFile> f, std::shared_ptr<const SecondTier> second)
      : file(std::move(f)), tables(*file), second_tier(std::move(second)),
        version(file->meta.version + (second_tier ? "+" + second_tier->version() : "")) {}

  struct Answer {
    Scores scores;
    Decision decision;
    bool revised = false;
  };
  Answer Judge(const DocumentView& document, Reader& reader, Deadline until) const {
    Answer answer;
    if (!Read(document, reader, &answer.scores)) return answer;
    if (second_tier) answer.revised = second_tier->Revise(document, until, &answer.scores);
    answer.decision = Decide(answer.scores, file->meta.scopes[ScopeOf(document.text)].thresholds);
    return answer;
  }

  // Reads the document; false if the gate stopped it, and then only scores->relevance is set.
  bool Read(const DocumentView& document, Reader& reader, Scores* scores) const {
    const ScopeSettings& settings = file->meta.scopes[ScopeOf(document.text)];
    const double p = Sigmoid(double{settings.gate_platt[0]} * reader.ReadGate(document, tables) + settings.gate_platt[1]);
    if (p < kGateProbabilityMin) {
      scores->relevance = p;
      return false;
    }
    *scores = ToScores(reader.ReadRows(document, tables), settings.calibration);
    return true;
  }

  const std::unique_ptr<ModelFile> file;
  const ModelTables tables;
  const std::shared_ptr<const SecondTier> second_tier;
  const std::string version;
};

namespace {

v1::TextScope ScopeTag(const DocumentView& document) {
  constexpr std::array<v1::TextScope, kScopes> kTags = {v1::TEXT_SCOPE_TITLE, v1::TEXT_SCOPE_SUMMARY, v1::TEXT_SCOPE_FULL};
  return kTags[ScopeOf(document.text)];
}

void FillTags(const Decision& decision, const Scores& scores, v1::Tags* tags) {
  std::array<size_t, kThemeCount> order;
  for (size_t i = 0; i < kThemeCount; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores.themes[a] > scores.themes[b]; });
  for (const size_t i : order) {
    if (!decision.themes[i]) continue;
    v1::ThemeTag* theme = tags->add_themes();
    theme->set_id(std::string(base::kThemes[i]));
    theme->set_score(scores.themes[i]);
  }
  for (size_t t = 0; t < kTargetCount; ++t) {
    const int position = decision.stance[t];
    if (position == kAbsent) continue;
    v1::StanceTag* stance = tags->add_stance();
    stance->set_target(std::string(base::kTargets[t]));
    stance->set_position(std::string(base::kPositions[position == kUnsure ? 3 : static_cast<size_t>(position)]));
    const auto& p = scores.stance[t];
    stance->set_score(position == kUnsure ? std::max(p[0], p[1]) : p[static_cast<size_t>(position)]);
  }
  const int lean = decision.lean;
  tags->mutable_lean()->set_label(std::string(base::kLeans[lean == kUnsure ? 3 : static_cast<size_t>(lean)]));
  const auto& p = scores.lean;
  tags->mutable_lean()->set_score(scores.relevance * (lean == kUnsure ? std::max(p[0], p[1]) : p[static_cast<size_t>(lean)]));
}

// The strongest words of every label of `assigned`.
void AddEvidence(const std::vector<size_t>& assigned, const ModelFile& file, Reader& reader, std::vector<EvidenceSpan>* spans, v1::Tags* tags) {
  for (size_t from = 0; from < assigned.size(); from += kEvidenceLanes) {
    std::array<const Label*, kEvidenceLanes> labels;
    const size_t count = std::min(kEvidenceLanes, assigned.size() - from);
    for (size_t l = 0; l < count; ++l) labels[l] = &AllLabels()[assigned[from + l]];
    LayOutEvidence(reader, file, std::span(labels).first(count));
    for (size_t l = 0; l < count; ++l) {
      FindEvidence(reader, l, kEvidencePerLabel, spans);
      for (const EvidenceSpan& span : *spans) {
        v1::Evidence* evidence = tags->add_evidence();
        evidence->set_label(labels[l]->name);
        evidence->set_start(span.start);
        evidence->set_length(span.length);
        evidence->set_weight(span.weight);
      }
    }
  }
}

void FillContributions(const Reader& reader, const ModelFile& file, const Label& label, v1::LabelExplanation* out) {
  std::vector<std::pair<float, uint32_t>> order;
  for (const RowHit& hit : reader.rows)
    if (const float w = hit.value * LabelWeight(file, label, hit.row); w != 0) order.emplace_back(w, hit.row);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(std::fabs(a.first), b.second) > std::pair(std::fabs(b.first), a.second);
  });
  std::vector<std::vector<const Occurrence*>> places(file.row_scales.size());
  for (const Occurrence& o : reader.occurrences) places[o.row].push_back(&o);
  const auto add_span = [&](v1::Contribution* c, uint32_t first, uint32_t count) {
    const Token &a = reader.analysis.tokens[first], &z = reader.analysis.tokens[first + count - 1];
    v1::Span* span = c->add_spans();
    span->set_start(a.start);
    span->set_length(z.start + z.length - a.start);
  };
  for (const auto& [weight, row] : order) {
    v1::Contribution* c = out->add_contributions();
    c->set_feature(std::string(file.Name(row)));
    c->set_weight(weight);
    for (const Occurrence* o : places[row]) {
      if (c->spans_size() >= kSpansPerContribution) break;
      add_span(c, o->first, o->count);
      if (o->last_count) add_span(c, o->last_first, o->last_count);
    }
  }
}

// The gate's own explanation, for a document that it stopped.
void FillGateContributions(const DocumentView& document, const Reader& reader, const ModelFile& file, v1::LabelExplanation* out) {
  std::vector<const RowHit*> order;
  for (const RowHit& hit : reader.gate_rows) order.push_back(&hit);
  const auto weight = [&](const RowHit* hit) { return hit->value * file.gate_rows[hit->row].weight; };
  std::sort(order.begin(), order.end(), [&](const RowHit* a, const RowHit* b) {
    return std::pair(std::fabs(weight(a)), a->row) > std::pair(std::fabs(weight(b)), b->row);
  });
  for (const RowHit* hit : order) {
    v1::Contribution* c = out->add_contributions();
    c->set_weight(weight(hit));
    ForEachNgram(reader.analysis.tokens, kGateNgramTokensMax, [&](uint64_t hash, uint32_t first, uint32_t count) {
      if (hash != file.gate_keys[hit->row] || c->spans_size() >= kSpansPerContribution) return;
      const Token &a = reader.analysis.tokens[first], &z = reader.analysis.tokens[first + count - 1];
      const uint32_t length = z.start + z.length - a.start;
      if (c->feature().empty()) c->set_feature(std::string(Bytes(document.title, document.text, a.start, length)));
      v1::Span* span = c->add_spans();
      span->set_start(a.start);
      span->set_length(length);
    });
  }
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

base::Result<std::unique_ptr<Model>> Model::Load(const std::string& path, std::shared_ptr<const SecondTier> second_tier) {
  RW_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(path));
  return std::unique_ptr<Model>(new Model(std::make_unique<Impl>(std::move(file), std::move(second_tier))));
}

Scores Model::Classify(const DocumentView& document, Scratch& scratch, v1::Tags* tags, Deadline until) const {
  Reader& reader = scratch.impl_->reader;
  const auto [scores, decision, revised] = impl_->Judge(document, reader, until);
  tags->Clear();
  tags->set_model_version(version());
  tags->set_taxonomy_version(std::string(base::kTaxonomyVersion));
  tags->set_language(DetectLanguage(document.title, document.text, reader.analysis.tokens, reader.analysis.scripts, document.language));
  tags->set_text_scope(ScopeTag(document));
  tags->mutable_relevance()->set_label(decision.relevant);
  tags->mutable_relevance()->set_score(scores.relevance);
  if (decision.relevant) {
    FillTags(decision, scores, tags);
    AddEvidence(AssignedLabels(decision, scores), *impl_->file, reader, &scratch.impl_->spans, tags);
  }
  if (revised) tags->set_second_tier(impl_->second_tier->version());
  reader.Shrink();
  return scores;
}

Scores Model::Score(const DocumentView& document, Scratch& scratch) const {
  Scores scores;
  impl_->Read(document, scratch.impl_->reader, &scores);
  scratch.impl_->reader.Shrink();
  return scores;
}

base::Status Model::Explain(const DocumentView& document, const std::vector<std::string>& labels, Scratch& scratch,
                            v1::ExplainResponse* response) const {
  std::vector<size_t> wanted;
  for (const std::string& name : labels) {
    const auto index = FindLabel(name);
    if (!index) return base::InvalidArgument("explain: no label '" + name + "'");
    wanted.push_back(*index);
  }
  response->Clear();
  const Scores revised = Classify(document, scratch, response->mutable_tags());
  Reader& reader = scratch.impl_->reader;
  const ModelFile& file = *impl_->file;
  const ScopeSettings& settings = file.meta.scopes[ScopeOf(document.text)];
  Scores scores;
  const float gate = reader.ReadGate(document, impl_->tables);
  const bool stopped = Sigmoid(double{settings.gate_platt[0]} * gate + settings.gate_platt[1]) < kGateProbabilityMin;
  const Logits& logits = reader.ReadRows(document, impl_->tables);
  scores = ToScores(logits, settings.calibration);
  if (wanted.empty()) wanted = AssignedLabels(stopped ? Decision{} : Decide(revised, settings.thresholds), revised);
  if (wanted.empty()) wanted.push_back(0);
  for (const size_t index : wanted) {
    const Label& label = AllLabels()[index];
    v1::LabelExplanation* out = response->add_labels();
    out->set_label(label.name);
    out->set_probability(label.Probability(stopped ? scores : revised));
    double bias = 0, logit = 0;
    for (size_t i = 0; i < label.part_count; ++i) {
      bias += double{label.parts[i].sign} * file.meta.bias[label.parts[i].head];
      logit += double{label.parts[i].sign} * logits[label.parts[i].head];
    }
    if (stopped && label.kind == Label::kRelevance) {
      bias = file.meta.gate_bias;
      logit = gate;
      out->set_probability(response->tags().relevance().score());
      FillGateContributions(document, reader, file, out);
    } else {
      FillContributions(reader, file, label, out);
    }
    out->set_bias(bias);
    out->set_logit(logit);
  }
  reader.Shrink();
  return base::Status::Ok();
}

const std::string& Model::version() const { return impl_->version; }
const std::shared_ptr<const SecondTier>& Model::second_tier() const { return impl_->second_tier; }
const std::string& Model::sha256() const { return impl_->file->sha256; }
size_t Model::features() const { return impl_->file->row_scales.size(); }
const std::string& Model::card() const { return impl_->file->meta.card; }
const std::vector<LabelRates>& Model::rates() const { return impl_->file->meta.rates; }

std::vector<std::string> Model::labels() const {
  std::vector<std::string> names;
  for (const Label& label : AllLabels()) names.push_back(label.name);
  return names;
}

std::string ShippedFile(const char* variable, const std::string& name) {
  if (const char* path = std::getenv(variable); path && *path) return path;
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  for (const std::filesystem::path& candidate :
       {binary.parent_path() / name, binary.parent_path().parent_path() / "share" / "racewatch" / name})
    if (!error && std::filesystem::exists(candidate, error)) return candidate.string();
  return RACEWATCH_SOURCE_DIR "/classify/model/data/" + name;
}

std::string DefaultModelPath() { return ShippedFile("RACEWATCH_MODEL", "racewatch-1.model"); }

}  // namespace racewatch::classify
