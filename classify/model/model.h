// The trained classifier: one document in, its tags with evidence out. A Model maps its file read-only,
// never changes after Load, and may be used by any number of threads at once, each with its own Scratch.
// Load checks length, checksum, format version and the label set of base/taxonomy.h; a file that fails
// any of them is refused with one line saying which. Classify cannot fail: every byte string is a document.
// A second tier (second_tier.h) may be added; it reads relevant and doubtful documents again, and more slowly.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/taxonomy.h"
#include "classify/model/label_rates.h"

namespace racewatch::v1 {
class ExplainResponse;
class Tags;
}  // namespace racewatch::v1

namespace racewatch::classify {

// What the classifier reads. Borrowed: the bytes must outlive the call. `language` is an ISO 639-1 code or
// empty, then it is detected. Evidence offsets count bytes of title + "\n" + text exactly as given here.
struct DocumentView {
  std::string_view title;
  std::string_view text;
  std::string_view language;
};

// Buffers that Classify reuses from call to call. One per thread; it keeps the size of the largest
// document seen, up to 1 MiB, and gives back what is above.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;

 private:
  friend class Model;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Calibrated probabilities of every output. Below the relevance threshold only `relevance` is computed.
struct Scores {
  double relevance = 0;
  std::array<double, base::kThemes.size()> themes{};  // relevant and about the theme
  std::array<std::array<double, 3>, base::kTargets.size()> stance{};  // favor, against, neutral; the rest is absent
  std::array<double, 3> lean{};                                       // us, china, neutral, given relevant
};

class SecondTier;

class Model {
 public:
  // NOT_FOUND: no such file. DATA_LOSS: truncated or corrupt. FAILED_PRECONDITION: another format version,
  // or a label set that is not this build's.
  // `second_tier` may be null.
  static base::Result<std::unique_ptr<Model>> Load(const std::string& path, std::shared_ptr<const SecondTier> second_tier = nullptr);
  ~Model();

  // Overwrites `tags`: model and taxonomy version, language, labels above their thresholds with their
  // probabilities, and up to five evidence spans per label. Returns the probabilities of all labels. The second tier is left
  // out where it would not be done by `until`.
  using Deadline = std::chrono::steady_clock::time_point;
  Scores Classify(const DocumentView& document, Scratch& scratch, v1::Tags* tags, Deadline until = Deadline::max()) const;

  // The probabilities behind Classify without second tier, thresholds and evidence.
  Scores Score(const DocumentView& document, Scratch& scratch) const;

  // Bias and every contribution to each of `labels` (as in Evidence.label; empty: every assigned label and
  // relevance): of the first tier, whatever a second tier made of them. INVALID_ARGUMENT names a label that does not exist.
  base::Status Explain(const DocumentView& document, const std::vector<std::string>& labels, Scratch& scratch,
                       v1::ExplainResponse* response) const;

  const std::string& version() const;  // "1", as in the file's header; "1+s3" with a second tier
  const std::string& sha256() const;   // of the whole file, 64 hex digits
  size_t features() const;             // rows in the vocabulary
  const std::string& card() const;     // the model card, Markdown
  const std::shared_ptr<const SecondTier>& second_tier() const;  // null: none
  std::vector<std::string> labels() const;  // every label Explain knows
  const std::vector<LabelRates>& rates() const;  // measured errors; empty if the file has none

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A data file that ships with this build: the environment's `variable` if set, else share/racewatch/NAME beside the binary's
// folder, else the one in the source tree this binary was built from. The first that exists; if none does, the last, so that
// the message of whoever loads it names it.
std::string ShippedFile(const char* variable, const std::string& name);

// $RACEWATCH_MODEL, racewatch-1.model.
std::string DefaultModelPath();

}  // namespace racewatch::classify
