#include "classify/model/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/sha256.h"

namespace racewatch::classify {
namespace {

using nlohmann::json;

base::Status Bad(const std::string& path, const std::string& what) {
  return base::DataLoss("load model " + path + ": " + what);
}

template <size_t N>
void ReadFloats(const json& list, std::array<float, N>* out) {
  if (list.size() != N) throw std::runtime_error("expected " + std::to_string(N) + " numbers");
  for (size_t i = 0; i < N; ++i) (*out)[i] = list[i].get<float>();
}

// Throws json::exception or runtime_error.
void ReadSettings(const json& j, ScopeSettings* settings) {
  ReadFloats(j.at("slope"), &settings->calibration.slope);
  ReadFloats(j.at("offset"), &settings->calibration.offset);
  ReadFloats(j.at("gate_platt"), &settings->gate_platt);
  ReadFloats(j.at("theme_thresholds"), &settings->thresholds.themes);
  ReadFloats(j.at("presence_thresholds"), &settings->thresholds.presence);
  ReadFloats(j.at("polar_thresholds"), &settings->thresholds.polar);
  settings->thresholds.relevance = j.at("relevance_threshold").get<float>();
  settings->thresholds.lean_polar = j.at("lean_polar_threshold").get<float>();
  settings->thresholds.unsure_margin = j.at("unsure_margin").get<float>();
}

double ReadShare(const json& object, const char* member) {
  const auto share = object.at(member).get<double>();
  if (!(share >= 0 && share <= 1)) throw std::runtime_error(std::string(member) + ": not a share");
  return share;
}

// Throws json::exception or runtime_error.
void ReadMeta(const json& j, ModelMeta* meta) {
  meta->version = j.at("version").get<std::string>();
  meta->card = j.at("card").get<std::string>();
  for (const json& name : j.at("classes")) meta->classes.names.push_back(name.get<std::string>());
  meta->classes.actors = j.at("actors").get<uint64_t>();
  meta->classes.concepts = j.at("concepts").get<uint64_t>();
  ReadFloats(j.at("weight_scale"), &meta->weight_scale);
  ReadFloats(j.at("bias"), &meta->bias);
  const json& scopes = j.at("scopes");
  for (size_t scope = 0; scope < kScopes; ++scope) ReadSettings(scopes.at(scope), &meta->scopes[scope]);
  meta->gate_bias = j.at("gate_bias").get<float>();
  if (!j.contains("rates")) return;
  for (const json& rates : j.at("rates")) {
    LabelRates& one = meta->rates.emplace_back();
    one.label = rates.at("label").get<std::string>();
    one.true_positive = ReadShare(rates, "true_positive");
    one.false_positive = ReadShare(rates, "false_positive");
    one.given = ReadShare(rates, "given");
    one.cases = rates.at("cases").get<double>();
  }
}

// The first label that differs from this build's, or empty.
std::string LabelMismatch(const json& heads) {
  for (size_t h = 0; h < kHeads; ++h) {
    const std::string have = h < heads.size() ? heads[h].get<std::string>() : "nothing";
    if (have != HeadName(h)) return "label " + HeadName(h) + " expected, " + have + " found";
  }
  return heads.size() == kHeads ? "" : "more labels than this build knows";
}

}  // namespace

ModelFile::~ModelFile() {
  if (data_) munmap(const_cast<uint8_t*>(data_), size_);
}

base::Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::string& path) {
  std::unique_ptr<ModelFile> file(new ModelFile());
  RW_RETURN_IF_ERROR(file->Map(path));
  RW_RETURN_IF_ERROR(file->CheckHeader(path));
  RW_RETURN_IF_ERROR(file->ReadSections(path));
  RW_RETURN_IF_ERROR(file->CheckTables(path));
  file->sha256 = base::Sha256Hex({reinterpret_cast<const char*>(file->data_), file->size_});
  return file;
}

base::Status ModelFile::Map(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return base::NotFound("load model " + path + ": " + std::strerror(errno));
  struct stat info {};
  base::Status status;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    status = base::NotFound("load model " + path + ": not a regular file");
  } else if (static_cast<size_t>(info.st_size) < sizeof(ModelHeader)) {
    status = Bad(path, "truncated: " + std::to_string(info.st_size) + " bytes");
  } else {
    size_ = static_cast<size_t>(info.st_size);
    void* mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) status = base::Internal("load model " + path + ": mmap: " + std::strerror(errno));
    else data_ = static_cast<const uint8_t*>(mapped);
  }
  close(fd);
  return status;
}

base::Status ModelFile::CheckHeader(const std::string& path) const {
  const auto& header = *reinterpret_cast<const ModelHeader*>(data_);
  if (std::memcmp(header.magic, kModelMagic, sizeof kModelMagic) != 0) return Bad(path, "not a model file");
  if (header.format != kModelFormat)
    return base::FailedPrecondition("load model " + path + ": format version " + std::to_string(header.format) +
                                    ", this build reads " + std::to_string(kModelFormat));
  if (header.header_checksum != XXH64(data_, offsetof(ModelHeader, header_checksum), 0)) return Bad(path, "corrupt header");
  if (header.file_bytes != size_)
    return Bad(path, std::string(size_ < header.file_bytes ? "truncated" : "too long") + ": " + std::to_string(size_) +
                         " bytes of " + std::to_string(header.file_bytes));
  if (header.sections != kSectionCount) return Bad(path, "wrong number of sections");
  if (XXH64(data_ + sizeof header, size_ - sizeof header, 0) != header.body_checksum) return Bad(path, "corrupt: checksum differs");
  for (const SectionEntry& s : header.section)
    if (s.offset % kSectionAlign || s.offset > size_ || s.length > size_ - s.offset) return Bad(path, "section out of bounds");
  return base::Status::Ok();
}

base::Status ModelFile::ReadSections(const std::string& path) {
  const auto& header = *reinterpret_cast<const ModelHeader*>(data_);
  const auto view = [&]<typename T>(Section section, std::span<const T>* out) {
    const SectionEntry& s = header.section[section];
    *out = {reinterpret_cast<const T*>(data_ + s.offset), s.length / sizeof(T)};
  };
  view(kFold, &fold);
  view(kLexicon, &lexicon);
  view(kGateKeys, &gate_keys);
  view(kGateRows, &gate_rows);
  view(kKeys, &keys);
  view(kRowNumbers, &row_numbers);
  view(kRowScales, &row_scales);
  view(kRowKinds, &row_kinds);
  view(kWeights, &weights);
  view(kNameOffsets, &name_offsets);
  view(kNames, &names);
  std::span<const char> text;
  view(kMeta, &text);
  try {
    const json j = json::parse(text.begin(), text.end());
    if (j.at("taxonomy").get<std::string>() != base::kTaxonomyVersion)
      return base::FailedPrecondition("load model " + path + ": taxonomy version " + j.at("taxonomy").get<std::string>() +
                                      ", this build knows " + std::string(base::kTaxonomyVersion));
    if (const std::string what = LabelMismatch(j.at("heads")); !what.empty())
      return base::FailedPrecondition("load model " + path + ": " + what);
    ReadMeta(j, &meta);
  } catch (const std::exception& error) {
    return Bad(path, std::string("metadata: ") + error.what());
  }
  return base::Status::Ok();
}

// The checksum finds accidents; this keeps a crafted file from reading outside its tables.
base::Status ModelFile::CheckTables(const std::string& path) const {
  const size_t rows = row_scales.size();
  const auto table = [](size_t slots, size_t beside) { return std::has_single_bit(slots) && slots == beside; };
  if (!table(gate_keys.size(), gate_rows.size()) || !table(keys.size(), row_numbers.size())) return Bad(path, "bad hash table");
  if (row_kinds.size() != rows || weights.size() != rows * kRowBytes || name_offsets.size() != rows + 1) return Bad(path, "bad row count");
  size_t used = 0, gate_used = 0;
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i]) {
      ++used;
      if (row_numbers[i] >= rows) return Bad(path, "row out of range");
    }
  for (const uint64_t key : gate_keys) gate_used += key != 0;
  if (used >= keys.size() || gate_used >= gate_keys.size()) return Bad(path, "full hash table");
  for (size_t i = 0; i < rows; ++i)
    if (name_offsets[i] > name_offsets[i + 1]) return Bad(path, "names out of order");
  if (name_offsets[rows] > names.size()) return Bad(path, "names out of range");
  if (meta.classes.names.size() > 63) return Bad(path, "too many lexicon classes");
  for (const uint8_t kind : row_kinds)
    if (kind > static_cast<uint8_t>(FeatureKind::kQuoted)) return Bad(path, "unknown kind of feature");
  return base::Status::Ok();
}

}  // namespace racewatch::classify
