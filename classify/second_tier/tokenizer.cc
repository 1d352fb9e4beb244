#include "classify/second_tier/tokenizer.h"

#include <unicode/normalizer2.h>
#include <unicode/regex.h>

#include <array>
#include <queue>
#include <unordered_map>

#include "classify/second_tier/gguf.h"

namespace racewatch::classify {
namespace {

// Words with the space before them, single digits, runs of signs, line ends (Qwen2's tokenizer.json).
constexpr char kPieces[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The character that stands for a byte in the vocabulary, as UTF-8: itself where it is printable Latin-1, else the next
// free one from U+0100 on (GPT-2's table).
std::array<std::string, 256> ByteNames() {
  std::array<std::string, 256> names;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    const uint32_t c = printable ? byte : next++;
    std::string& name = names[byte];
    if (c < 0x80) name = {static_cast<char>(c)};
    else name = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
  }
  return names;
}

uint64_t PairOf(int32_t left, int32_t right) { return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right); }

}  // namespace

struct Tokenizer::Impl {
  struct Merge {
    int32_t rank, token;
  };

  // Joins neighbours, the pair that was learnt first before all others, until none is left. `tokens` is one piece.
  void Join(std::vector<int32_t>* tokens) const;
  base::Status Build(const GgufFile& file, const std::vector<std::string_view>& names, const std::vector<std::string_view>& pairs);

  std::unique_ptr<icu::RegexPattern> pieces;
  std::unordered_map<std::string_view, int32_t> ids;
  std::unordered_map<uint64_t, Merge> merges;
  std::array<int32_t, 256> bytes{};
  std::vector<double> kinds;  // by token: kNormalKind, or one of those that text cannot make
};

constexpr double kNormalKind = 1;

void Tokenizer::Impl::Join(std::vector<int32_t>* tokens) const {
  struct Link {
    int32_t before, after;
  };
  struct Candidate {
    int32_t rank, left, right, left_token, right_token, token;
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
  };
  std::vector<int32_t>& t = *tokens;
  const auto count = static_cast<int32_t>(t.size());
  std::vector<Link> links(t.size());
  std::priority_queue<Candidate> queue;
  const auto offer = [&](int32_t left, int32_t right) {
    if (left < 0 || right >= count) return;
    const auto merge = merges.find(PairOf(t[left], t[right]));
    if (merge != merges.end()) queue.push({merge->second.rank, left, right, t[left], t[right], merge->second.token});
  };
  for (int32_t i = 0; i < count; ++i) links[i] = {i - 1, i + 1};
  for (int32_t i = 0; i + 1 < count; ++i) offer(i, i + 1);
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    if (t[c.left] != c.left_token || t[c.right] != c.right_token || links[c.left].after != c.right) continue;
    t[c.left] = c.token;
    t[c.right] = -1;
    links[c.left].after = links[c.right].after;
    if (links[c.left].after < count) links[links[c.left].after].before = c.left;
    offer(links[c.left].before, c.left);
    offer(c.left, links[c.left].after);
  }
  std::erase(t, -1);
}

base::Status Tokenizer::Impl::Build(const GgufFile& file, const std::vector<std::string_view>& names,
                                    const std::vector<std::string_view>& pairs) {
  const auto fail = [&](const std::string& what) { return base::FailedPrecondition("load " + file.path() + ": vocabulary: " + what); };
  if (kinds.size() != names.size()) return fail("kinds of " + std::to_string(kinds.size()) + " of " + std::to_string(names.size()) + " tokens");
  ids.reserve(names.size());
  for (size_t i = 0; i < names.size(); ++i) ids.emplace(names[i], static_cast<int32_t>(i));
  const std::array<std::string, 256> byte_names = ByteNames();
  for (size_t b = 0; b < 256; ++b) {
    const auto id = ids.find(byte_names[b]);
    if (id == ids.end()) return fail("no token for byte " + std::to_string(b));
    bytes[b] = id->second;
  }
  merges.reserve(pairs.size());
  for (size_t rank = 0; rank < pairs.size(); ++rank) {
    const std::string_view pair = pairs[rank];
    const size_t space = pair.find(' ');
    if (space == std::string_view::npos) return fail("merge " + std::to_string(rank) + " is no pair");
    const auto left = ids.find(pair.substr(0, space)), right = ids.find(pair.substr(space + 1));
    const std::string both = std::string(pair.substr(0, space)) + std::string(pair.substr(space + 1));
    const auto token = ids.find(both);
    if (left == ids.end() || right == ids.end() || token == ids.end()) return fail("merge " + std::to_string(rank) + " makes no token");
    merges.emplace(PairOf(left->second, right->second), Merge{static_cast<int32_t>(rank), token->second});
  }
  UErrorCode error = U_ZERO_ERROR;
  pieces.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(kPieces), 0, error));
  return U_SUCCESS(error) ? base::Status::Ok() : base::Internal(std::string("tokenizer: ") + u_errorName(error));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

base::Result<std::unique_ptr<Tokenizer>> Tokenizer::FromGguf(const GgufFile& file) {
  RW_ASSIGN_OR_RETURN(const std::string_view kind, file.Text("tokenizer.ggml.model"));
  RW_ASSIGN_OR_RETURN(const std::string_view pre, file.Text("tokenizer.ggml.pre"));
  if (kind != "gpt2" || pre != "qwen2")
    return base::FailedPrecondition("load " + file.path() + ": vocabulary of kind " + std::string(kind) + "/" + std::string(pre) + ", gpt2/qwen2 expected");
  RW_ASSIGN_OR_RETURN(const std::vector<std::string_view>* names, file.Texts("tokenizer.ggml.tokens"));
  RW_ASSIGN_OR_RETURN(const std::vector<std::string_view>* pairs, file.Texts("tokenizer.ggml.merges"));
  RW_ASSIGN_OR_RETURN(const std::vector<double>* kinds, file.Reals("tokenizer.ggml.token_type"));
  auto impl = std::make_unique<Impl>();
  impl->kinds = *kinds;
  RW_RETURN_IF_ERROR(impl->Build(file, *names, *pairs));
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text) const {
  UErrorCode error = U_ZERO_ERROR;
  const icu::UnicodeString given = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  const icu::UnicodeString composed = icu::Normalizer2::getNFCInstance(error)->normalize(given, error);
  const std::unique_ptr<icu::RegexMatcher> matcher(impl_->pieces->matcher(composed, error));
  std::vector<int32_t> out, piece;
  std::string utf8;
  while (U_SUCCESS(error) && matcher->find(error)) {
    utf8.clear();
    matcher->group(error).toUTF8String(utf8);
    piece.clear();
    for (const char c : utf8) piece.push_back(impl_->bytes[static_cast<uint8_t>(c)]);
    impl_->Join(&piece);
    out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

base::Result<int32_t> Tokenizer::Control(std::string_view name) const {
  const auto id = impl_->ids.find(name);
  if (id == impl_->ids.end() || impl_->kinds[static_cast<size_t>(id->second)] == kNormalKind)
    return base::FailedPrecondition("vocabulary: no control token " + std::string(name));
  return id->second;
}

size_t Tokenizer::size() const { return impl_->ids.size(); }

}  // namespace racewatch::classify
