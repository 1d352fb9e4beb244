// Language models and adapters of a few kilobytes for tests, written as GGUF files: random weights from a seed, a vocabulary
// of bytes and a few merges.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace racewatch::classify {

// Collects values and tensors, and lays them out as GGUF version 3.
class GgufWriter {
 public:
  void Text(const std::string& key, const std::string& value);
  void Count(const std::string& key, uint32_t value);
  void Real(const std::string& key, float value);
  void Texts(const std::string& key, const std::vector<std::string>& values);
  void Reals(const std::string& key, const std::vector<float>& values);
  void Floats(const std::string& name, uint64_t columns, uint64_t rows, const std::vector<float>& values);
  // The whole file.
  std::string Bytes(uint32_t version = 3) const;

 private:
  void Value(const std::string& key, uint32_t type, const std::string& bytes);
  std::string values_, infos_, data_;
  uint64_t value_count_ = 0, tensor_count_ = 0;
};

struct TinyModel {
  uint64_t layers = 2, width = 64, heads = 4, groups = 2, inner = 96;
  uint32_t seed = 1;
  std::string architecture = "qwen2", pre_tokenizer = "qwen2";

  std::vector<std::string> Vocabulary() const;
  // Rows × columns of a weight, by its name and the seed alone.
  std::vector<float> Weights(const std::string& name, uint64_t columns, uint64_t rows) const;
  std::vector<float> Norm(const std::string& name) const;
  void AddTo(GgufWriter* writer) const;
  std::string Bytes() const;
};

struct TinyAdapter {
  std::string base_sha256;
  uint32_t layers = 2, beginning_tokens = 48;
  uint64_t width = 64;
  float relevance_min = 0.2f, presence_min = 0.05f;
  std::vector<float> stance_mix = {0, 0.5f, 1, 0.3f, 1}, lean_mix = {0, 0, 0, 0.3f, 1};
  std::vector<std::pair<std::string, std::string>> questions = {{"stance:china_parity", "Level?"}, {"lean", "Who?"}};
  std::vector<float> bias;  // questions × 4; empty: zeros
  bool with_update = false;  // of blk.1.attn_q.weight

  std::string Bytes() const;
};

// Random numbers around zero, always the same for a seed.
std::vector<float> Noise(uint32_t seed, size_t count, float scale);

// Writes `bytes` to a file of this name in a folder of this process, and returns its path.
std::string WriteTemporary(const std::string& name, const std::string& bytes);

}  // namespace racewatch::classify
