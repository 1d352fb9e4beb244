#include "classify/second_tier/language_model_tier.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "classify/model/text.h"
#include "classify/second_tier/adapter.h"
#include "classify/second_tier/gguf.h"
#include "classify/second_tier/tokenizer.h"
#include "classify/second_tier/transformer.h"

namespace racewatch::classify {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytesPerTokenMax = 24;  // no running text has tokens that long on average
constexpr std::string_view kSpace = " \t\r\n\v\f";

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

class LanguageModelTier final : public SecondTier {
 public:
  static base::Result<std::shared_ptr<const SecondTier>> Load(const SecondTierOptions& options) {
    std::shared_ptr<LanguageModelTier> tier(new LanguageModelTier());
    RW_ASSIGN_OR_RETURN(tier->adapter_, Adapter::Load(options.adapter.empty() ? DefaultAdapterPath() : options.adapter));
    RW_ASSIGN_OR_RETURN(tier->file_, GgufFile::Open(options.model));
    if (const std::string sha256 = tier->file_->Sha256(); sha256 != tier->adapter_.base_sha256)
      return base::FailedPrecondition("second tier: " + options.model + " has SHA-256 " + sha256 + ", the adapter was trained for " + tier->adapter_.base_sha256);
    tier->file_->Forget();
    RW_ASSIGN_OR_RETURN(tier->tokenizer_, Tokenizer::FromGguf(*tier->file_));
    RW_ASSIGN_OR_RETURN(tier->transformer_, Transformer::Load(*tier->file_, tier->adapter_.file.get(), {tier->adapter_.layers, options.threads}));
    RW_RETURN_IF_ERROR(tier->Prepare(options.model));
    return std::shared_ptr<const SecondTier>(std::move(tier));
  }

  bool Revise(const DocumentView& document, Clock::time_point until, Scores* scores) const override {
    const std::vector<size_t> asked = adapter_.ToAsk(*scores);
    if (asked.empty()) return false;
    const auto started = Clock::now();
    if (until != Clock::time_point::max() && started + Typical() > until) return false;
    std::vector<std::vector<int32_t>> endings;
    for (const size_t q : asked) endings.push_back(questions_[q]);
    const auto states = transformer_->Read(Beginning(document), endings);
    if (!states.ok()) return false;
    adapter_.MixIn(asked, adapter_.Read(asked, *states), scores);
    Remember(Clock::now() - started);
    return true;
  }

  const std::string& version() const override { return adapter_.version; }

 private:
  LanguageModelTier() = default;

  base::Status Prepare(const std::string& path) {
    if (adapter_.width != transformer_->width()) return base::FailedPrecondition("second tier: the adapter's heads do not fit " + path);
    RW_ASSIGN_OR_RETURN(const int32_t start, tokenizer_->Control("<|im_start|>"));
    RW_ASSIGN_OR_RETURN(const int32_t end, tokenizer_->Control("<|im_end|>"));
    opening_ = {start};
    const std::vector<int32_t> line_end = tokenizer_->Encode("\n"), answerer = tokenizer_->Encode("assistant\n");
    blank_line_ = tokenizer_->Encode("\n\n");
    for (const Adapter::Question& question : adapter_.questions) {
      std::vector<int32_t>& tokens = questions_.emplace_back(tokenizer_->Encode(question.text));
      tokens.push_back(end);
      tokens.insert(tokens.end(), line_end.begin(), line_end.end());
      tokens.push_back(start);
      tokens.insert(tokens.end(), answerer.begin(), answerer.end());
    }
    return {};
  }

  // The document as the user's turn of a conversation, up to the questions.
  std::vector<int32_t> Beginning(const DocumentView& document) const {
    const size_t tokens_max = adapter_.beginning_tokens, bytes_max = tokens_max * kBytesPerTokenMax;
    std::string turn = "user\n";
    turn.append(CutAtCharacter(document.title, bytes_max)).append("\n").append(CutAtCharacter(Trim(document.text), bytes_max)).append("\n\n");
    std::vector<int32_t> tokens = opening_;
    const std::vector<int32_t> words = tokenizer_->Encode(turn);
    tokens.insert(tokens.end(), words.begin(), words.end());
    if (tokens.size() > tokens_max) {
      tokens.resize(tokens_max - 1);
      tokens.insert(tokens.end(), blank_line_.begin(), blank_line_.end());
    }
    return tokens;
  }

  // How long a reading takes, waiting for other readings included.
  Clock::duration Typical() const { return Clock::duration(typical_.load(std::memory_order_relaxed)); }
  void Remember(Clock::duration took) const {
    const auto before = typical_.load(std::memory_order_relaxed);
    typical_.store(before == 0 ? took.count() : (3 * before + took.count()) / 4, std::memory_order_relaxed);
  }

  Adapter adapter_;
  std::unique_ptr<GgufFile> file_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Transformer> transformer_;
  std::vector<int32_t> opening_, blank_line_;
  std::vector<std::vector<int32_t>> questions_;
  mutable std::atomic<Clock::rep> typical_ = 0;
};

}  // namespace

base::Result<std::shared_ptr<const SecondTier>> LoadSecondTier(const SecondTierOptions& options) { return LanguageModelTier::Load(options); }

base::Result<std::string> SecondTierVersion(const SecondTierOptions& options) {
  RW_ASSIGN_OR_RETURN(const Adapter adapter, Adapter::Load(options.adapter.empty() ? DefaultAdapterPath() : options.adapter));
  return adapter.version;
}

std::string DefaultAdapterPath() { return ShippedFile("RACEWATCH_ADAPTER", "racewatch-1.adapter"); }

}  // namespace racewatch::classify
