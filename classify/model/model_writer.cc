#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "classify/model/model_file.h"
#include "classify/model/trainer.h"

namespace racewatch::classify {
namespace {

using nlohmann::json;

// Bytes of the file, section by section.
class Builder {
 public:
  Builder() : bytes_(sizeof(ModelHeader), '\0') {
    std::memcpy(header_.magic, kModelMagic, sizeof kModelMagic);
    header_.format = kModelFormat;
    header_.sections = kSectionCount;
  }

  template <typename T>
  void Add(Section section, const std::vector<T>& values) {
    Add(section, values.data(), values.size() * sizeof(T));
  }
  void Add(Section section, const void* data, size_t length) {
    bytes_.resize((bytes_.size() + kSectionAlign - 1) / kSectionAlign * kSectionAlign, '\0');
    header_.section[section] = {bytes_.size(), length};
    bytes_.append(static_cast<const char*>(data), length);
  }

  const std::string& Finish() {
    header_.file_bytes = bytes_.size();
    header_.body_checksum = XXH64(bytes_.data() + sizeof header_, bytes_.size() - sizeof header_, 0);
    header_.header_checksum = XXH64(&header_, offsetof(ModelHeader, header_checksum), 0);
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    return bytes_;
  }

 private:
  ModelHeader header_{};
  std::string bytes_;
};

// Open addressing at load one half or less; value(i) belongs to hashes[i].
template <typename T, typename F>
void BuildTable(const Vocabulary& vocabulary, F&& value, std::vector<uint64_t>* keys, std::vector<T>* values) {
  const size_t slots = std::bit_ceil(vocabulary.rows.size() * 2 + 2);
  keys->assign(slots, 0);
  values->assign(slots, T{});
  for (size_t i = 0; i < vocabulary.rows.size(); ++i) {
    size_t slot = vocabulary.rows[i].hash & (slots - 1);
    while ((*keys)[slot]) slot = (slot + 1) & (slots - 1);
    (*keys)[slot] = vocabulary.rows[i].hash;
    (*values)[slot] = value(i);
  }
}

// int8 weights by row; each head has a scale of its own, so that its largest weight is 127.
std::vector<int8_t> Quantise(const TrainedModel& model, std::array<float, kHeads>* scales) {
  const size_t rows = model.vocabulary.rows.size();
  std::vector<int8_t> weights(rows * kRowBytes, 0);
  for (size_t h = 0; h < kHeads; ++h) {
    float largest = 1e-9f;
    for (const float w : model.heads[h].weight) largest = std::max(largest, std::fabs(w));
    (*scales)[h] = largest / 127.0f;
    for (size_t i = 0; i < rows; ++i)
      weights[i * kRowBytes + h] = static_cast<int8_t>(std::lround(model.heads[h].weight[i] / (*scales)[h]));
  }
  return weights;
}

json SettingsJson(const ScopeSettings& settings) {
  return {{"slope", settings.calibration.slope}, {"offset", settings.calibration.offset}, {"gate_platt", settings.gate_platt},
          {"theme_thresholds", settings.thresholds.themes}, {"presence_thresholds", settings.thresholds.presence},
          {"polar_thresholds", settings.thresholds.polar}, {"relevance_threshold", settings.thresholds.relevance},
          {"lean_polar_threshold", settings.thresholds.lean_polar}, {"unsure_margin", settings.thresholds.unsure_margin}};
}

json RatesJson(const std::vector<LabelRates>& rates) {
  json out = json::array();
  for (const LabelRates& one : rates)
    out.push_back({{"label", one.label}, {"true_positive", one.true_positive}, {"false_positive", one.false_positive}, {"given", one.given}, {"cases", one.cases}});
  return out;
}

json Meta(const TrainedModel& model, const LexiconClasses& classes, const std::array<float, kHeads>& scales,
          const std::string& version, const std::string& card) {
  json heads = json::array(), bias = json::array(), scopes = json::array();
  for (const ScopeSettings& settings : model.scopes) scopes.push_back(SettingsJson(settings));
  for (size_t h = 0; h < kHeads; ++h) {
    heads.push_back(HeadName(h));
    bias.push_back(model.heads[h].bias);
  }
  return {{"version", version}, {"taxonomy", std::string(base::kTaxonomyVersion)}, {"card", card}, {"heads", heads},
          {"classes", classes.names}, {"actors", classes.actors}, {"concepts", classes.concepts},
          {"weight_scale", scales}, {"bias", bias}, {"scopes", scopes}, {"gate_bias", model.gate.bias}, {"rates", RatesJson(model.rates)}};
}

base::Status WriteWhole(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".tmp";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    std::remove(temporary.c_str());
    return {base::Code::kPermissionDenied, "write model " + path + ": " + why};
  }
  return base::Status::Ok();
}

}  // namespace

base::Status WriteModelFile(const std::string& path, const TrainedModel& model, const Lexicon& lexicon,
                            const std::vector<FoldPair>& fold, const std::vector<std::string>& names,
                            const std::string& version, const std::string& card) {
  Builder builder;
  std::array<float, kHeads> scales{};
  const std::vector<int8_t> weights = Quantise(model, &scales);
  const std::string meta = Meta(model, lexicon.classes(), scales, version, card).dump();
  builder.Add(kMeta, meta.data(), meta.size());
  builder.Add(kFold, fold);
  builder.Add(kLexicon, lexicon.entries());
  std::vector<uint64_t> keys;
  std::vector<GateRow> gate_rows;
  BuildTable(model.gate_vocabulary,
             [&](size_t i) { return GateRow{model.gate_vocabulary.rows[i].scale, model.gate.weight[i]}; }, &keys, &gate_rows);
  builder.Add(kGateKeys, keys);
  builder.Add(kGateRows, gate_rows);
  std::vector<uint32_t> numbers;
  BuildTable(model.vocabulary, [](size_t i) { return static_cast<uint32_t>(i); }, &keys, &numbers);
  builder.Add(kKeys, keys);
  builder.Add(kRowNumbers, numbers);
  std::vector<float> row_scales;
  std::vector<uint8_t> kinds;
  std::vector<uint32_t> offsets = {0};
  std::string pool;
  for (size_t i = 0; i < model.vocabulary.rows.size(); ++i) {
    row_scales.push_back(model.vocabulary.rows[i].scale);
    kinds.push_back(static_cast<uint8_t>(model.vocabulary.rows[i].kind));
    pool += names[i];
    offsets.push_back(static_cast<uint32_t>(pool.size()));
  }
  builder.Add(kRowScales, row_scales);
  builder.Add(kRowKinds, kinds);
  builder.Add(kWeights, weights);
  builder.Add(kNameOffsets, offsets);
  builder.Add(kNames, pool.data(), pool.size());
  return WriteWhole(path, builder.Finish());
}

}  // namespace racewatch::classify
