#include "tests/second_tier/tiny_model.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "base/taxonomy.h"

namespace racewatch::classify {
namespace {

constexpr uint32_t kUint32 = 4, kFloat32 = 6, kString = 8, kArray = 9;
constexpr size_t kAlignment = 32;

template <typename T>
std::string Raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string Sized(const std::string& text) { return Raw(uint64_t{text.size()}) + text; }

uint32_t SeedOf(const std::string& name, uint32_t seed) {
  uint32_t h = 2166136261u ^ seed;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return h;
}

// GPT-2's names of bytes: printable ones stand for themselves, the others for characters from U+0100 on.
std::vector<std::string> ByteNames() {
  std::vector<std::string> names;
  uint32_t next = 0x100;
  for (uint32_t b = 0; b < 256; ++b) {
    const bool itself = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
    const uint32_t c = itself ? b : next++;
    names.push_back(c < 0x80 ? std::string(1, static_cast<char>(c))
                             : std::string{static_cast<char>(0xc0 + c / 64), static_cast<char>(0x80 + c % 64)});
  }
  return names;
}

const std::vector<std::pair<std::string, std::string>> kMerges = {{"t", "h"}, {"th", "e"}, {"Ġ", "the"}, {"a", "n"}, {"e", "n"}, {"th", "en"}};

}  // namespace

void GgufWriter::Value(const std::string& key, uint32_t type, const std::string& bytes) {
  values_ += Sized(key) + Raw(type) + bytes;
  ++value_count_;
}
void GgufWriter::Text(const std::string& key, const std::string& value) { Value(key, kString, Sized(value)); }
void GgufWriter::Count(const std::string& key, uint32_t value) { Value(key, kUint32, Raw(value)); }
void GgufWriter::Real(const std::string& key, float value) { Value(key, kFloat32, Raw(value)); }
void GgufWriter::Texts(const std::string& key, const std::vector<std::string>& values) {
  std::string bytes = Raw(kString) + Raw(uint64_t{values.size()});
  for (const std::string& value : values) bytes += Sized(value);
  Value(key, kArray, bytes);
}
void GgufWriter::Reals(const std::string& key, const std::vector<float>& values) {
  std::string bytes = Raw(kFloat32) + Raw(uint64_t{values.size()});
  for (const float value : values) bytes += Raw(value);
  Value(key, kArray, bytes);
}

void GgufWriter::Floats(const std::string& name, uint64_t columns, uint64_t rows, const std::vector<float>& values) {
  infos_ += Sized(name) + Raw(uint32_t{2}) + Raw(columns) + Raw(rows) + Raw(uint32_t{0}) + Raw(uint64_t{data_.size()});
  data_.append(reinterpret_cast<const char*>(values.data()), 4 * values.size());
  data_.resize((data_.size() + kAlignment - 1) / kAlignment * kAlignment);
  ++tensor_count_;
}

std::string GgufWriter::Bytes(uint32_t version) const {
  std::string out = "GGUF" + Raw(version) + Raw(tensor_count_) + Raw(value_count_) + values_ + infos_;
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
  return out + data_;
}

std::vector<float> Noise(uint32_t seed, size_t count, float scale) {
  std::mt19937 random(seed);
  std::vector<float> out(count);
  for (float& x : out) x = scale * (static_cast<float>(random() >> 8) / 8388608.0f - 1);
  return out;
}

std::vector<std::string> TinyModel::Vocabulary() const {
  std::vector<std::string> out = ByteNames();
  for (const auto& [left, right] : kMerges) out.push_back(left + right);
  out.insert(out.end(), {"<|im_start|>", "<|im_end|>"});
  return out;
}

std::vector<float> TinyModel::Weights(const std::string& name, uint64_t columns, uint64_t rows) const {
  return Noise(SeedOf(name, seed), columns * rows, 2.0f / std::sqrt(static_cast<float>(columns)));
}

std::vector<float> TinyModel::Norm(const std::string& name) const {
  std::vector<float> out = Noise(SeedOf(name, seed), width, 0.3f);
  for (float& x : out) x += 1;
  return out;
}

void TinyModel::AddTo(GgufWriter* w) const {
  w->Text("general.architecture", architecture);
  w->Count("qwen2.block_count", static_cast<uint32_t>(layers));
  w->Count("qwen2.embedding_length", static_cast<uint32_t>(width));
  w->Count("qwen2.attention.head_count", static_cast<uint32_t>(heads));
  w->Count("qwen2.attention.head_count_kv", static_cast<uint32_t>(groups));
  w->Count("qwen2.feed_forward_length", static_cast<uint32_t>(inner));
  w->Real("qwen2.attention.layer_norm_rms_epsilon", 1e-6f);
  w->Real("qwen2.rope.freq_base", 10000.0f);
  const std::vector<std::string> vocabulary = Vocabulary();
  std::vector<float> kinds(vocabulary.size(), 1);
  kinds[kinds.size() - 2] = kinds[kinds.size() - 1] = 3;
  std::vector<std::string> merges;
  for (const auto& [left, right] : kMerges) merges.push_back(left + " " + right);
  w->Text("tokenizer.ggml.model", "gpt2");
  w->Text("tokenizer.ggml.pre", pre_tokenizer);
  w->Texts("tokenizer.ggml.tokens", vocabulary);
  w->Texts("tokenizer.ggml.merges", merges);
  w->Reals("tokenizer.ggml.token_type", kinds);
  const auto add = [&](const std::string& name, uint64_t columns, uint64_t rows) { w->Floats(name, columns, rows, Weights(name, columns, rows)); };
  const uint64_t shared = groups * (width / heads);
  add("token_embd.weight", width, vocabulary.size());
  for (uint64_t i = 0; i < layers; ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_norm.weight", "ffn_norm.weight"}) w->Floats(p + name, width, 1, Norm(p + name));
    add(p + "attn_q.weight", width, width), add(p + "attn_q.bias", width, 1);
    add(p + "attn_k.weight", width, shared), add(p + "attn_k.bias", shared, 1);
    add(p + "attn_v.weight", width, shared), add(p + "attn_v.bias", shared, 1);
    add(p + "attn_output.weight", width, width);
    add(p + "ffn_gate.weight", width, inner), add(p + "ffn_up.weight", width, inner), add(p + "ffn_down.weight", inner, width);
  }
}

std::string TinyModel::Bytes() const {
  GgufWriter writer;
  AddTo(&writer);
  return writer.Bytes();
}

std::string TinyAdapter::Bytes() const {
  GgufWriter w;
  w.Text("general.architecture", "racewatch-adapter");
  w.Text("racewatch.version", "s1");
  w.Text("racewatch.taxonomy", std::string(base::kTaxonomyVersion));
  w.Text("racewatch.base_sha256", base_sha256);
  w.Count("racewatch.layers", layers);
  w.Count("racewatch.beginning_tokens", beginning_tokens);
  w.Real("racewatch.relevance_min", relevance_min);
  w.Real("racewatch.presence_min", presence_min);
  std::vector<std::string> fields, texts;
  for (const auto& [field, text] : questions) fields.push_back(field), texts.push_back(text);
  w.Texts("racewatch.fields", fields);
  w.Texts("racewatch.questions", texts);
  w.Reals("racewatch.stance_mix", stance_mix);
  w.Reals("racewatch.lean_mix", lean_mix);
  const size_t outputs = 4 * questions.size();
  w.Floats("head.weight", width, outputs, Noise(7, outputs * width, 0.2f));
  w.Floats("head.bias", outputs, 1, bias.empty() ? std::vector<float>(outputs) : bias);
  if (with_update) {
    w.Floats("blk.1.attn_q.weight.lora_a", width, 4, Noise(8, 4 * width, 0.2f));
    w.Floats("blk.1.attn_q.weight.lora_b", 4, width, Noise(9, 4 * width, 0.2f));
  }
  return w.Bytes();
}

std::string WriteTemporary(const std::string& name, const std::string& bytes) {
  const auto folder = std::filesystem::temp_directory_path() / ("racewatch_second_tier_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  return path;
}

}  // namespace racewatch::classify
