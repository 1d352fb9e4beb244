#include "classify/model/gzip.h"

#include <libdeflate.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>

namespace racewatch::classify {
namespace {

constexpr uint32_t kContentMax = 1u << 30;
constexpr int kLevel = 9;

}  // namespace

bool IsGzip(std::string_view bytes) { return bytes.size() > 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b'; }

base::Result<std::string> Gunzip(const std::string& path, std::string_view bytes) {
  if (bytes.size() < 18) return base::InvalidArgument("read " + path + ": truncated gzip");
  uint32_t size = 0;
  std::memcpy(&size, bytes.data() + bytes.size() - 4, 4);
  if (size > kContentMax) return base::InvalidArgument("read " + path + ": gzip larger than 1 GiB");
  std::string out(size, '\0');
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  size_t written = 0;
  const auto result = libdeflate_gzip_decompress(decompressor, bytes.data(), bytes.size(), out.data(), out.size(), &written);
  libdeflate_free_decompressor(decompressor);
  if (result != LIBDEFLATE_SUCCESS || written != size) return base::InvalidArgument("read " + path + ": not a valid gzip file");
  return out;
}

base::Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::NotFound("read " + path + ": " + std::strerror(errno));
  std::stringstream buffer;
  buffer << in.rdbuf();
  return buffer.str();
}

base::Result<std::string> ReadPlainOrGzip(const std::string& path) {
  auto content = ReadFile(path);
  if (!content.ok() || !IsGzip(*content)) return content;
  return Gunzip(path, *content);
}

std::string Gzip(std::string_view content) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(kLevel);
  std::string out(libdeflate_gzip_compress_bound(compressor, content.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, content.data(), content.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

}  // namespace racewatch::classify
