// A model file mapped into memory and checked: typed views of its sections. Immutable after Open; the
// views live as long as the object. Any number of threads may read it.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "classify/model/decision.h"
#include "classify/model/features.h"
#include "classify/model/format.h"
#include "classify/model/label_rates.h"
#include "classify/model/lexicon.h"

namespace racewatch::classify {

struct TrainedModel;

struct ModelMeta {
  std::string version;
  std::string card;
  LexiconClasses classes;
  std::array<float, kHeads> weight_scale{};  // float weight = int8 x scale
  std::array<float, kHeads> bias{};
  std::array<ScopeSettings, kScopes> scopes;
  float gate_bias = 0;
  std::vector<LabelRates> rates;  // empty: a file of a build that did not measure them
};

class ModelFile {
 public:
  // Errors as Model::Load.
  static base::Result<std::unique_ptr<ModelFile>> Open(const std::string& path);
  ~ModelFile();
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  ModelMeta meta;
  std::string sha256;
  std::span<const FoldPair> fold;
  std::span<const LexiconEntry> lexicon;
  std::span<const uint64_t> gate_keys;
  std::span<const GateRow> gate_rows;
  std::span<const uint64_t> keys;
  std::span<const uint32_t> row_numbers;
  std::span<const float> row_scales;
  std::span<const uint8_t> row_kinds;
  std::span<const int8_t> weights;
  std::span<const uint32_t> name_offsets;
  std::span<const char> names;

  std::string_view Name(uint32_t row) const {
    return {names.data() + name_offsets[row], name_offsets[row + 1] - name_offsets[row]};
  }

 private:
  ModelFile() = default;
  base::Status Map(const std::string& path);
  base::Status CheckHeader(const std::string& path) const;
  base::Status ReadSections(const std::string& path);
  base::Status CheckTables(const std::string& path) const;

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Writes `path` (through a temporary file and a rename). `names` holds one name per row of the vocabulary.

base::Status WriteModelFile(const std::string& path, const TrainedModel& model, const Lexicon& lexicon,
                            const std::vector<FoldPair>& fold, const std::vector<std::string>& names,
                            const std::string& version, const std::string& card);

}  // namespace racewatch::classify
