// A GGUF file (versions 2 and 3; ggml docs/gguf.md): metadata and tensors of a language model, mapped read-only. Open checks
// every length and offset against the file, so what it returns may be read without further checks. Never changes after Open;
// any thread. Strings and tensors point into the mapping and live as long as the file object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace racewatch::classify {

// How the numbers of a tensor are stored, by ggml's numbers. Files may hold others; those are refused when they are read.
enum class GgufType : uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8, kQ4_K = 12, kQ6_K = 14, kBF16 = 30 };

struct GgufTensor {
  GgufType type = GgufType::kF32;
  uint64_t columns = 0;  // of one row, which lie side by side
  uint64_t rows = 1;
  const uint8_t* data = nullptr;
};

class GgufFile {
 public:
  // NOT_FOUND: no such file. DATA_LOSS: not GGUF, truncated or corrupt. FAILED_PRECONDITION: another version.
  static base::Result<std::unique_ptr<GgufFile>> Open(const std::string& path);
  ~GgufFile();

  // Metadata by key; FAILED_PRECONDITION names a key that is missing or of another kind.
  base::Result<std::string_view> Text(const std::string& key) const;
  base::Result<uint64_t> Count(const std::string& key) const;
  base::Result<double> Real(const std::string& key) const;
  base::Result<const std::vector<std::string_view>*> Texts(const std::string& key) const;
  base::Result<const std::vector<double>*> Reals(const std::string& key) const;  // of an array of any numbers

  // Null: there is none of that name.
  const GgufTensor* Find(const std::string& name) const;
  // Checked to be columns × rows and of a type that Dequantize reads; FAILED_PRECONDITION otherwise.
  base::Result<const GgufTensor*> Tensor(const std::string& name, uint64_t columns, uint64_t rows) const;

  // Gives back the memory that holds what was read so far; it is read from the file again when it is needed.
  void Forget() const;

  const std::string& path() const { return path_; }
  // SHA-256 of the whole file, 64 hex digits. Reads all of it.
  std::string Sha256() const;

 private:
  friend class GgufParser;
  using Value = std::variant<std::string_view, double, uint64_t, std::vector<std::string_view>, std::vector<double>>;
  GgufFile() = default;
  base::Status Missing(const std::string& key, const char* kind) const;

  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

// Rows [first, first + rows) of `tensor` as floats, rows × columns.
void Dequantize(const GgufTensor& tensor, uint64_t first, uint64_t rows, float* out);

}  // namespace racewatch::classify
