#include "ingest/feed/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace racewatch::ingest::feed {
namespace {

constexpr int kGzipWindow = 15 + 16;  // largest window, gzip framing

class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, kGzipWindow) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream& stream() { return stream_; }
  bool ok() const { return ok_; }

 private:
  z_stream stream_{};
  bool ok_ = false;
};

}  // namespace

base::Result<std::string> Gunzip(std::string_view bytes, size_t bytes_max, bool* cut) {
  Inflater inflater;
  if (!inflater.ok()) return base::ResourceExhausted("gzip: no memory");
  z_stream& stream = inflater.stream();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(std::min<size_t>(bytes.size(), uInt(-1)));
  std::string out;
  std::array<char, 64 << 10> piece;
  *cut = false;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
    if (out.size() > bytes_max)
      return base::ResourceExhausted("gzip: unpacks to more than " + std::to_string(bytes_max) + " bytes");
    if (code == Z_STREAM_END) {
      if (stream.avail_in < 2 || stream.next_in[0] != 0x1F || stream.next_in[1] != 0x8B) break;
      if (inflateReset(&stream) != Z_OK) break;  // a further member
    } else if (code != Z_OK) {
      *cut = true;
      break;
    }
  }
  if (out.empty() && *cut) return base::InvalidArgument("gzip: nothing can be unpacked");
  return out;
}

}  // namespace racewatch::ingest::feed
