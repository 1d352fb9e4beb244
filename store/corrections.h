// What readers say the labels of articles should be: training records with title and text as they were read, the tags of that
// moment, who and when. They change no count and are no part of the digest: a replay of the topics gives the same counts
// without them, and cannot bring them back, so they travel by backup alone. They outlive their article (retention); where
// its text is taken out, by a takedown or for its age, theirs goes in the same transaction.
//
// A correction and the removal of the article's text may come at the same moment: each commit expects the row that the other
// one writes, so whichever is second reads again. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::v1 {
class AddCorrectionRequest;
class AddCorrectionResponse;
class Labels;
class ListCorrectionsRequest;
class ListCorrectionsResponse;
}  // namespace racewatch::v1

namespace racewatch::store {

inline constexpr size_t kCorrectionsOfArticleMax = 100;
inline constexpr uint64_t kCorrectionsMax = 1'000'000;

class Corrections {
 public:
  // The engine with all generations; both outlive this.
  Corrections(Engine& whole, const base::Clock& clock) : whole_(whole), clock_(clock) {}

  // Durable when it returns OK. NOT_FOUND: no such article is kept, or its text is not; INVALID_ARGUMENT: a label that the
  // taxonomy lacks, labels that do not go together, no reader; RESOURCE_EXHAUSTED: one of the limits above.
  base::Status Add(const v1::AddCorrectionRequest& request, v1::AddCorrectionResponse* response);

  // Takes title, text and evidence out of the corrections of this article, whether or not the article is kept still. Its id
  // in hexadecimal digits; nullopt: nobody has corrected it.
  base::Result<std::optional<std::string>> Redact(const std::string& article);

 private:
  base::Status AddOnce(const v1::AddCorrectionRequest& request, v1::AddCorrectionResponse* response);

  Engine& whole_;
  const base::Clock& clock_;
};

// Oldest first. INVALID_ARGUMENT: a page size or token that is none.
base::Status ListCorrections(const View& view, const v1::ListCorrectionsRequest& request, v1::ListCorrectionsResponse* response);

// Adds to `batch`, which takes the text of this article (id bytes) out, what takes it out of its corrections.
base::Status RedactCorrections(const View& view, std::string_view article, Batch* batch);

// INVALID_ARGUMENT names the first label that the taxonomy lacks or that does not go with the others.
base::Status CheckLabels(const v1::Labels& labels);

}  // namespace racewatch::store
