#include "classify/second_tier/gguf.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

#include "base/sha256.h"

namespace racewatch::classify {
namespace {

constexpr uint64_t kAlignment = 32;
constexpr uint64_t kTensorsMax = 1u << 16;
constexpr uint64_t kDimensionsMax = 4;

// Elements of one block of a type and the bytes it takes.
struct BlockSize {
  uint64_t elements, bytes;
};

std::optional<BlockSize> BlockSizeOf(GgufType type) {
  switch (type) {
    case GgufType::kF32: return BlockSize{1, 4};
    case GgufType::kF16:
    case GgufType::kBF16: return BlockSize{1, 2};
    case GgufType::kQ8_0: return BlockSize{32, 34};
    case GgufType::kQ4_K: return BlockSize{256, 144};
    case GgufType::kQ6_K: return BlockSize{256, 210};
  }
  return std::nullopt;
}

enum ValueType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

}  // namespace

// Reads the file from front to back. After the first failure every read gives zeros, and Run returns what failed.
class GgufParser {
 public:
  explicit GgufParser(GgufFile* file) : file_(*file), end_(file->size_) {}

  base::Status Run() {
    if (file_.size_ < 24 || std::memcmp(file_.data_, "GGUF", 4) != 0) return Bad("not a GGUF file");
    at_ = 4;
    const auto version = Read<uint32_t>();
    if (version != 2 && version != 3)
      return base::FailedPrecondition("load " + file_.path_ + ": GGUF version " + std::to_string(version) + ", 2 or 3 expected");
    const auto tensors = Read<uint64_t>(), values = Read<uint64_t>();
    if (tensors > kTensorsMax) Fail("claims " + std::to_string(tensors) + " tensors");
    for (uint64_t i = 0; i < values && problem_.empty(); ++i) ReadValue();
    for (uint64_t i = 0; i < tensors && problem_.empty(); ++i) ReadTensor();
    PlaceTensors();
    return problem_.empty() ? base::Status::Ok() : Bad(problem_);
  }

 private:
  base::Status Bad(const std::string& what) const { return base::DataLoss("load " + file_.path_ + ": " + what); }
  void Fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
    at_ = end_;
  }

  // `bytes` more, or null.
  const uint8_t* Take(uint64_t bytes) {
    if (bytes > end_ - at_) {
      Fail("truncated at byte " + std::to_string(end_));
      return nullptr;
    }
    const uint8_t* p = file_.data_ + at_;
    at_ += bytes;
    return p;
  }
  template <typename T>
  T Read() {
    T value{};
    if (const uint8_t* p = Take(sizeof value)) std::memcpy(&value, p, sizeof value);
    return value;
  }
  std::string_view ReadText() {
    const auto length = Read<uint64_t>();
    const uint8_t* p = Take(length);
    return p ? std::string_view(reinterpret_cast<const char*>(p), length) : std::string_view();
  }
  double ReadNumber(uint32_t type, uint64_t* whole) {
    switch (type) {
      case kU8: return static_cast<double>(*whole = Read<uint8_t>());
      case kBool: return static_cast<double>(*whole = Read<uint8_t>());
      case kU16: return static_cast<double>(*whole = Read<uint16_t>());
      case kU32: return static_cast<double>(*whole = Read<uint32_t>());
      case kU64: return static_cast<double>(*whole = Read<uint64_t>());
      case kI8: return Read<int8_t>();
      case kI16: return Read<int16_t>();
      case kI32: return Read<int32_t>();
      case kI64: return static_cast<double>(Read<int64_t>());
      case kF32: return static_cast<double>(Read<float>());
      case kF64: return Read<double>();
      default: Fail("value of unknown type " + std::to_string(type)); return 0;
    }
  }
  static bool IsWhole(uint32_t type) { return type == kU8 || type == kU16 || type == kU32 || type == kU64 || type == kBool; }

  GgufFile::Value ReadArray() {
    const auto type = Read<uint32_t>();
    const auto length = Read<uint64_t>();
    if (length > end_ - at_) Fail("truncated at byte " + std::to_string(end_));
    if (type == kString) {
      std::vector<std::string_view> texts;
      for (uint64_t i = 0; i < length && problem_.empty(); ++i) texts.push_back(ReadText());
      return texts;
    }
    std::vector<double> numbers;
    uint64_t whole = 0;
    for (uint64_t i = 0; i < length && problem_.empty(); ++i) numbers.push_back(ReadNumber(type, &whole));
    return numbers;
  }

  void ReadValue() {
    const std::string key(ReadText());
    const auto type = Read<uint32_t>();
    if (!problem_.empty()) return;
    if (type == kString) {
      file_.values_[key] = ReadText();
    } else if (type == kArray) {
      file_.values_[key] = ReadArray();
    } else {
      uint64_t whole = 0;
      const double number = ReadNumber(type, &whole);
      if (IsWhole(type)) file_.values_[key] = whole;
      else file_.values_[key] = number;
    }
  }

  void ReadTensor() {
    const std::string name(ReadText());
    const auto dimensions = Read<uint32_t>();
    if (dimensions < 1 || dimensions > kDimensionsMax) return Fail("tensor " + name + ": " + std::to_string(dimensions) + " dimensions");
    GgufTensor tensor;
    tensor.columns = Read<uint64_t>();
    if (tensor.columns > end_) return Fail("tensor " + name + ": rows longer than the file");  // and no product below overflows
    for (uint32_t i = 1; i < dimensions; ++i) {
      const auto more = Read<uint64_t>();
      if (more != 0 && tensor.rows > std::numeric_limits<uint32_t>::max() / more) return Fail("tensor " + name + ": too large");
      tensor.rows *= more;
    }
    tensor.type = static_cast<GgufType>(Read<uint32_t>());
    offsets_.emplace_back(name, Read<uint64_t>());
    file_.tensors_[name] = tensor;
  }

  // The offsets count from the end of the header, at the next multiple of the alignment.
  void PlaceTensors() {
    if (!problem_.empty()) return;
    uint64_t alignment = kAlignment;
    if (const auto given = file_.Count("general.alignment"); given.ok()) alignment = *given;
    if (alignment == 0 || alignment > 1u << 20) return Fail("alignment of " + std::to_string(alignment));
    const uint64_t start = (at_ + alignment - 1) / alignment * alignment;
    for (const auto& [name, offset] : offsets_) {
      GgufTensor& tensor = file_.tensors_[name];
      const auto block = BlockSizeOf(tensor.type);
      if (!block) continue;  // refused by GgufFile::Tensor, should anybody ask for it
      if (tensor.columns % block->elements != 0) return Fail("tensor " + name + ": rows of " + std::to_string(tensor.columns) + " numbers");
      const uint64_t row_bytes = tensor.columns / block->elements * block->bytes;
      if (start > end_ || offset > end_ - start || (row_bytes != 0 && tensor.rows > (end_ - start - offset) / row_bytes))
        return Fail("truncated: tensor " + name + " ends beyond byte " + std::to_string(end_));
      tensor.data = file_.data_ + start + offset;
    }
  }

  GgufFile& file_;
  const uint64_t end_;
  uint64_t at_ = 0;
  std::string problem_;
  std::vector<std::pair<std::string, uint64_t>> offsets_;
};

GgufFile::~GgufFile() {
  if (data_) munmap(const_cast<uint8_t*>(data_), size_);
}

base::Result<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  std::unique_ptr<GgufFile> file(new GgufFile());
  file->path_ = path;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return base::NotFound("load " + path + ": " + std::strerror(errno));
  struct stat info {};
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
  void* mapped = MAP_FAILED;
  if (regular) mapped = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return base::NotFound("load " + path + ": not a file with anything in it");
  file->data_ = static_cast<const uint8_t*>(mapped);
  file->size_ = static_cast<size_t>(info.st_size);
  RW_RETURN_IF_ERROR(GgufParser(file.get()).Run());
  return file;
}

base::Status GgufFile::Missing(const std::string& key, const char* kind) const {
  return base::FailedPrecondition("load " + path_ + ": no " + kind + " " + key);
}

base::Result<std::string_view> GgufFile::Text(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end())
    if (const auto* text = std::get_if<std::string_view>(&found->second)) return *text;
  return Missing(key, "text");
}

base::Result<uint64_t> GgufFile::Count(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end())
    if (const auto* count = std::get_if<uint64_t>(&found->second)) return *count;
  return Missing(key, "count");
}

base::Result<double> GgufFile::Real(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end())
    if (const auto* real = std::get_if<double>(&found->second)) return *real;
  return Missing(key, "number");
}

base::Result<const std::vector<std::string_view>*> GgufFile::Texts(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end())
    if (const auto* texts = std::get_if<std::vector<std::string_view>>(&found->second)) return texts;
  return Missing(key, "list of texts");
}

base::Result<const std::vector<double>*> GgufFile::Reals(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end())
    if (const auto* reals = std::get_if<std::vector<double>>(&found->second)) return reals;
  return Missing(key, "list of numbers");
}

const GgufTensor* GgufFile::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

base::Result<const GgufTensor*> GgufFile::Tensor(const std::string& name, uint64_t columns, uint64_t rows) const {
  const GgufTensor* tensor = Find(name);
  if (!tensor) return Missing(name, "tensor");
  if (!tensor->data)
    return base::FailedPrecondition("load " + path_ + ": tensor " + name + ": quantisation " +
                                    std::to_string(static_cast<uint32_t>(tensor->type)) + " is not supported (F32, F16, BF16, Q8_0, Q4_K, Q6_K are)");
  if (tensor->columns != columns || tensor->rows != rows)
    return base::FailedPrecondition("load " + path_ + ": tensor " + name + ": " + std::to_string(tensor->columns) + " x " +
                                    std::to_string(tensor->rows) + ", " + std::to_string(columns) + " x " + std::to_string(rows) + " expected");
  return tensor;
}

void GgufFile::Forget() const { madvise(const_cast<uint8_t*>(data_), size_, MADV_DONTNEED); }

std::string GgufFile::Sha256() const { return base::Sha256Hex({reinterpret_cast<const char*>(data_), size_}); }

}  // namespace racewatch::classify
