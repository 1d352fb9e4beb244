// Text to the token numbers of a language model: byte-level byte-pair encoding (Sennrich et al. 2016) with the
// pre-tokenizer of Qwen2, from the vocabulary in a GGUF file. Never changes after FromGguf; any thread. Text cannot make a
// control token: those are only had by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace racewatch::classify {

class GgufFile;

class Tokenizer {
 public:
  // `file` outlives the tokenizer. FAILED_PRECONDITION: no such vocabulary, or another kind of one.
  static base::Result<std::unique_ptr<Tokenizer>> FromGguf(const GgufFile& file);
  ~Tokenizer();

  // Of UTF-8, which is put into composed form (NFC) first; bytes that are no UTF-8 are read as U+FFFD.
  std::vector<int32_t> Encode(std::string_view text) const;
  // A token of exactly these characters that text cannot make, "<|im_start|>". FAILED_PRECONDITION: there is none.
  base::Result<int32_t> Control(std::string_view name) const;
  size_t size() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::classify
