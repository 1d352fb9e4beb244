// The first layers of a Qwen2 language model (Qwen2.5 technical report, arXiv 2412.15115: grouped-query attention with
// rotary positions, RMS norms, SwiGLU), computed by oneDNN. Weights and what they are multiplied with are rounded to bytes (a
// scale a row of each), their products added up in whole numbers; all else is in single precision. One text is read once,
// with several endings that do not see each other. Load holds all weights in memory (a byte each); Read takes a lock, since one
// reading keeps every core busy, so it may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"

namespace racewatch::classify {

class GgufFile;

class Transformer {
 public:
  struct Options {
    uint32_t layers = 0;  // of the model, from the first; 0: all
    uint32_t threads = 0;  // of one reading; 0: one per core
    bool single_precision = false;  // in place of bytes: four times the memory, four times slower
  };
  // `update` (may be null) holds low-rank changes of weights (LoRA, Hu et al. 2021), `NAME.lora_a` and `NAME.lora_b`,
  // which are added when the weights are read. `model` outlives the result, `update` need not. FAILED_PRECONDITION: another
  // architecture, a tensor that is missing or of another size. INTERNAL: oneDNN refuses.
  static base::Result<std::unique_ptr<Transformer>> Load(const GgufFile& model, const GgufFile* update, Options options);
  ~Transformer();

  // The state behind the last token of each of `endings`, each read after `beginning`: endings × width(), one after the
  // other. INVALID_ARGUMENT: a token that the model does not have, or nothing to read. INTERNAL: oneDNN failed.
  base::Result<std::vector<float>> Read(std::span<const int32_t> beginning, std::span<const std::vector<int32_t>> endings) const;
  size_t width() const;

 private:
  struct Impl;
  explicit Transformer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::classify
