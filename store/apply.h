// The pure step of the store: one record and what is known of its article → what it counts as, or why not.
// ReadSighting turns bytes into a checked Sighting; Decide compares it with the article's row. Neither does
// I/O. Winners are decided by rank, never by arrival, so any order of the same records ends in the same rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/article_row.h"
#include "store/counts.h"

namespace racewatch::v1 {
class TaggedArticle;
}

namespace racewatch::store {

// One sighting of an article as it arrived, checked.
struct Sighting {
  ArticleId id{};
  Rank rank;
  Contribution what;
  base::UnixMs fetched_at_ms = 0;
  bool redacted = false;
};

// Fills `message` from the record's value and checks it. The status is the reason to dead-letter:
// DATA_LOSS `undecodable: …`, INVALID_ARGUMENT `invalid_article: …`, `key_mismatch: …` or `invalid_tags: …`.
base::Result<Sighting> ReadSighting(const base::Record& record, v1::TaggedArticle* message);

// What its labels and its source count as, without saved queries. INVALID_ARGUMENT: a label that the taxonomy does not have.
base::Result<Contribution> ContributionOf(const v1::TaggedArticle& message);

// The part of such a status that serves as `dlq.reason`.
std::string DeadLetterReason(const base::Status& status);

// What no longer changes: articles of days before `first_open_day` are gone, later ones for them are late.
struct Freeze {
  uint32_t first_open_day = 0;
  uint32_t late_days_max = 90;
};

enum class Outcome : uint8_t {
  kStored,         // a new id
  kRevised,        // the known id's new winner
  kDuplicate,      // the same revision once more
  kStaleRevision,  // a revision of lower rank
  kTooLate,        // its windows are frozen
};

struct Decision {
  Outcome outcome = Outcome::kDuplicate;
  bool changed = false;            // `row` differs from the stored one and must be written
  ArticleRow row;
  std::vector<CountChange> counts;
};

Decision Decide(const Sighting& sighting, const std::optional<ArticleRow>& known, const Freeze& freeze,
                base::UnixMs now_ms);

// Of two sightings of one text in a generation made by a re-tag, that with the labels of its own model wins.
void PreferModel(bool own_model, Rank* rank);

// Reason in racewatch_stage_dropped_total; empty for kStored.
std::string_view DropReason(Outcome outcome);

// The message as kept in Table::kDetail: the text's first 2,000 bytes (cut between characters) and the
// evidence that lies in them; nothing but labels and addresses when redacted.
std::string EncodeDetail(v1::TaggedArticle* message, bool redacted);

// The kept message `detail` with the labels of `message` and the saved queries it meets; `message` has no text of its own.
base::Result<std::string> EncodeDetailWithTags(std::string_view detail, const v1::TaggedArticle& message, bool redacted);

}  // namespace racewatch::store
