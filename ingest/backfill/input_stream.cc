#include "ingest/backfill/input_stream.h"

#include <sys/stat.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace racewatch::ingest {
namespace {

constexpr size_t kBufferBytes = size_t{128} << 10;
constexpr int kGzipWindow = 15 + 16;
constexpr int kRawWindow = -15;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// The little-endian number of `size` bytes.
uint32_t Little(const unsigned char* bytes, int size) {
  uint32_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

struct InputStream::Impl {
  enum class Kind { kPlain, kGzip, kZipStored, kZipDeflated };

  ~Impl() {
    if (inflating) inflateEnd(&stream);
  }

  // More packed bytes behind those not yet used. False at the end of the file.
  bool Fill() {
    if (stream.avail_in > 0) return true;
    const size_t got = std::fread(packed.data(), 1, packed.size(), file.get());
    read += got;
    stream.next_in = packed.data();
    stream.avail_in = static_cast<uInt>(got);
    return got > 0;
  }
  base::Status Begin();
  base::Status BeginZip();
  base::Result<std::string_view> Unpack(size_t bytes_max);
  base::Status Damaged(const char* what) const { return base::DataLoss(path + ": " + what + " after " + std::to_string(read) + " bytes"); }

  std::string path;
  std::unique_ptr<std::FILE, CloseFile> file;
  uint64_t read = 0;
  uint64_t total = 0;
  uint64_t stored_left = 0;
  Kind kind = Kind::kPlain;
  z_stream stream{};
  bool inflating = false;
  bool ended = false;
  bool member_open = false;  // in the middle of a gzip member
  std::array<unsigned char, kBufferBytes> packed;
  std::string out;
};

base::Status InputStream::Impl::Begin() {
  Fill();
  const auto starts = [this](const char* magic, size_t n) { return stream.avail_in >= n && std::memcmp(stream.next_in, magic, n) == 0; };
  if (starts("\x1F\x8B", 2)) {
    kind = Kind::kGzip;
    member_open = true;
  } else if (starts("PK\x03\x04", 4)) {
    RW_RETURN_IF_ERROR(BeginZip());
  }
  if (kind != Kind::kGzip && kind != Kind::kZipDeflated) return {};
  inflating = inflateInit2(&stream, kind == Kind::kGzip ? kGzipWindow : kRawWindow) == Z_OK;
  return inflating ? base::Status() : base::ResourceExhausted(path + ": no memory to unpack");
}

// APPNOTE.TXT 4.3.7: a local file header of 30 bytes, a name, an extra field, then the data.
base::Status InputStream::Impl::BeginZip() {
  constexpr uint32_t kHeaderBytes = 30;
  if (stream.avail_in < kHeaderBytes) return base::InvalidArgument(path + ": a zip without a file in it");
  const unsigned char* header = stream.next_in;
  const uint32_t method = Little(header + 8, 2);
  const uint32_t skip = kHeaderBytes + Little(header + 26, 2) + Little(header + 28, 2);
  const bool encrypted = header[6] & 1;
  if (encrypted || (method != 0 && method != 8) || skip > stream.avail_in)
    return base::InvalidArgument(path + ": a zip packed in a way we do not read");
  kind = method == 8 ? Kind::kZipDeflated : Kind::kZipStored;
  stored_left = Little(header + 18, 4);
  stream.next_in += skip;
  stream.avail_in -= skip;
  return {};
}

base::Result<std::string_view> InputStream::Impl::Unpack(size_t bytes_max) {
  out.resize(bytes_max);
  for (;;) {
    const bool more = Fill();
    if (kind == Kind::kGzip && !member_open) {
      if (!more) {
        ended = true;
        return std::string_view();
      }
      if (stream.next_in[0] != 0x1F) {  // padding behind the last member
        ended = true;
        return std::string_view();
      }
      if (inflateReset(&stream) != Z_OK) return Damaged("gzip data is damaged");
      member_open = true;
    }
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(bytes_max);
    const int code = inflate(&stream, Z_NO_FLUSH);
    const size_t got = bytes_max - stream.avail_out;
    if (code == Z_STREAM_END) {
      member_open = false;
      ended = kind == Kind::kZipDeflated;
    } else if (code != Z_OK && (code != Z_BUF_ERROR || (!more && got == 0))) {
      ended = true;
      return Damaged(more ? "packed data is damaged" : "packed data ends early");
    }
    if (got > 0) return std::string_view(out).substr(0, got);
    if (ended) return std::string_view();
  }
}

InputStream::InputStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
InputStream::~InputStream() = default;

base::Result<std::unique_ptr<InputStream>> InputStream::Open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  struct stat info;
  impl->file.reset(std::fopen(path.c_str(), "rbe"));
  if (!impl->file || fstat(fileno(impl->file.get()), &info) != 0) return base::NotFound(path + ": " + std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return base::NotFound(path + ": is a directory");
  impl->total = static_cast<uint64_t>(info.st_size);
  RW_RETURN_IF_ERROR(impl->Begin());
  return std::unique_ptr<InputStream>(new InputStream(std::move(impl)));
}

std::unique_ptr<InputStream> InputStream::OfBytes(std::string_view bytes) {
  auto impl = std::make_unique<Impl>();
  impl->path = "memory";
  impl->total = bytes.size();
  // An empty buffer is not a file to fmemopen.
  impl->file.reset(bytes.empty() ? std::fopen("/dev/null", "rbe") : fmemopen(const_cast<char*>(bytes.data()), bytes.size(), "rb"));
  if (!impl->file || !impl->Begin().ok()) impl->ended = true;
  return std::unique_ptr<InputStream>(new InputStream(std::move(impl)));
}

base::Result<std::string_view> InputStream::Read(size_t bytes_max) {
  Impl& impl = *impl_;
  if (impl.ended) return std::string_view();
  if (impl.inflating) return impl.Unpack(bytes_max);
  if (!impl.Fill()) {
    impl.ended = true;
    if (impl.kind == Impl::Kind::kZipStored && impl.stored_left > 0) return impl.Damaged("zip data ends early");
    return std::string_view();
  }
  size_t n = std::min<size_t>(bytes_max, impl.stream.avail_in);
  if (impl.kind == Impl::Kind::kZipStored) {
    n = std::min<size_t>(n, impl.stored_left);
    impl.stored_left -= n;
    impl.ended = impl.stored_left == 0;
  }
  const std::string_view view(reinterpret_cast<const char*>(impl.stream.next_in), n);
  impl.stream.next_in += n;
  impl.stream.avail_in -= static_cast<uInt>(n);
  return view;
}

uint64_t InputStream::bytes_read() const { return impl_->read - impl_->stream.avail_in; }
uint64_t InputStream::bytes_total() const { return impl_->total; }

base::Result<bool> LineReader::Next(std::string_view* line, bool* too_long) {
  line_.clear();
  *too_long = false;
  for (bool any = false;;) {
    if (at_ == rest_.size()) {
      if (ended_ && !failure_.ok()) {
        if (!any) return failure_;  // what came before it has been handed out
      }
      if (!ended_) {
        const auto piece = input_.Read();
        if (!piece.ok()) failure_ = piece.status();
        ended_ = !piece.ok() || piece->empty();
        rest_ = ended_ ? std::string() : std::string(*piece);
        at_ = 0;
        if (!ended_) continue;
        if (!failure_.ok() && !any) return failure_;
      }
      if (!any) return false;
      break;
    }
    any = true;
    const size_t end = rest_.find('\n', at_);
    const std::string_view piece = std::string_view(rest_).substr(at_, end == std::string::npos ? end : end - at_);
    const size_t room = kLineBytesMax - line_.size();
    *too_long = *too_long || piece.size() > room;
    line_.append(piece.substr(0, room));
    at_ = end == std::string::npos ? rest_.size() : end + 1;
    if (end != std::string::npos) break;
  }
  ++number_;
  if (line_.ends_with('\r')) line_.pop_back();
  *line = line_;
  return true;
}

}  // namespace racewatch::ingest
