// The alert engine's questions answered from the store's tables: counts, distinct stories and publishers of the
// live lane by event time, baseline hours, coverage, evidence. One view serves one step; what it reads of a
// window is kept until then. Reads that fail are remembered in status(), and the step must not be committed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/alert/series_view.h"
#include "store/article_row.h"
#include "store/engine.h"
#include "store/saved_query/saved_queries.h"

namespace racewatch::v1 {
class Article;
}

namespace racewatch::store {

class StoreSeriesView final : public SeriesView {
 public:
  // `view` outlives this. `now` bounds the elapsed part of the current window (coverage).
  StoreSeriesView(const View& view, base::UnixMs now) : view_(view), now_(now) {}

  WindowCounts Count(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const override;
  // Articles here are those of both lanes: a backfilled history is what a baseline is for.
  std::vector<HourCounts> Hours(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const override;
  double Coverage(base::UnixMs from, base::UnixMs to) const override;
  std::vector<v1::AlertEvidence> Evidence(const WatchedSeries& series, base::UnixMs from, base::UnixMs to,
                                          size_t limit) const override;
  std::string ModelVersion() const override;

  const base::Status& status() const { return status_; }

 private:
  struct Entry {
    std::string id;
    base::UnixMs event_ms;
    std::string story;
    uint64_t family;
    Labels labels;
    std::vector<QuerySlot> queries;
  };
  SeriesId Find(const WatchedSeries& series) const;
  const std::vector<SavedQuery>& Queries() const;
  const std::vector<Entry>& Window(base::UnixMs from, base::UnixMs to) const;
  base::Status ReadWindow(base::UnixMs from, base::UnixMs to, std::vector<Entry>* out) const;

  const View& view_;
  const base::UnixMs now_;
  mutable std::map<std::pair<base::UnixMs, base::UnixMs>, std::vector<Entry>> windows_;
  mutable std::map<std::pair<uint32_t, uint32_t>, std::map<SeriesId, std::vector<HourCounts>>> hours_;
  mutable std::optional<std::vector<SavedQuery>> queries_;
  mutable base::Status status_;
};

// The beginning of its text, or its title; at most 240 bytes and an ellipsis.
std::string Snippet(const v1::Article& article);

// `theme:ID`, `stance:TARGET:POSITION`, `lean:LABEL` for everything an article is labelled with.
std::vector<std::string> LabelNames(const Labels& labels);

}  // namespace racewatch::store
