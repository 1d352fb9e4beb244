// SeriesView over plain slots of ten minutes, for alert tests and the replay bench. Every article of a slot
// is its own story; publishers of a span are the largest publisher count of its slots.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "racewatch/v1/alert.pb.h"
#include "store/alert/series_view.h"

namespace racewatch::fakes {

class FakeSeriesView : public store::SeriesView {
 public:
  struct Slot {
    uint32_t articles = 0;
    uint32_t publishers = 0;
  };

  // `slots[i]` is the slot that starts at `start + i·kSlotMs`; `start` is a whole hour.
  explicit FakeSeriesView(base::UnixMs start, size_t slots) : start_(start), coverage_(slots, 1.0) {}

  std::vector<Slot>& Series(const std::string& key) {
    auto& slots = series_[key];
    slots.resize(coverage_.size());
    return slots;
  }
  std::vector<double>& coverage() { return coverage_; }
  size_t Index(base::UnixMs at) const { return at <= start_ ? 0 : std::min(coverage_.size(), static_cast<size_t>((at - start_) / store::kSlotMs)); }
  bool show_evidence = true;
  mutable size_t hours_calls = 0;

  store::WindowCounts Count(const store::WatchedSeries& series, base::UnixMs from, base::UnixMs to) const override {
    store::WindowCounts counts;
    const auto at = series_.find(store::SeriesKeyText(series));
    if (at == series_.end()) return counts;
    for (size_t i = Index(from); i < Index(to); ++i) {
      counts.articles += at->second[i].articles;
      counts.publishers = std::max(counts.publishers, at->second[i].publishers);
    }
    counts.stories = counts.articles;
    return counts;
  }

  std::vector<store::HourCounts> Hours(const store::WatchedSeries& series, base::UnixMs from, base::UnixMs to) const override {
    ++hours_calls;
    static const std::vector<Slot> kNone;
    const auto at = series_.find(store::SeriesKeyText(series));
    const std::vector<Slot>& slots = at == series_.end() ? kNone : at->second;
    std::vector<store::HourCounts> hours;
    for (base::UnixMs hour = from; hour < to; hour += store::kHourMs) {
      store::HourCounts counts;
      for (size_t i = Index(hour); i < std::min(slots.size(), Index(hour + store::kHourMs)); ++i) counts.articles += slots[i].articles;
      counts.stories = counts.articles;
      counts.coverage = hour < start_ ? 0 : Coverage(hour, hour + store::kHourMs);
      hours.push_back(counts);
    }
    return hours;
  }

  double Coverage(base::UnixMs from, base::UnixMs to) const override {
    double sum = 0;
    const size_t first = Index(from), last = Index(to);
    for (size_t i = first; i < last; ++i) sum += coverage_[i];
    return last > first ? sum / static_cast<double>(last - first) : 0;
  }

  std::vector<v1::AlertEvidence> Evidence(const store::WatchedSeries& series, base::UnixMs from, base::UnixMs to,
                                          size_t limit) const override {
    std::vector<v1::AlertEvidence> evidence;
    if (!show_evidence) return evidence;
    const uint32_t n = std::min<uint32_t>(Count(series, from, to).articles, static_cast<uint32_t>(limit));
    for (uint32_t i = 0; i < n; ++i) {
      v1::AlertEvidence& one = evidence.emplace_back();
      one.set_article_id("article-" + std::to_string(i));
      one.set_title("Title " + std::to_string(i));
      one.set_url("https://example.com/" + std::to_string(i));
      one.set_publisher("example.com");
      one.mutable_published()->set_seconds(to / 1000 - 60);
      one.set_snippet("A sentence.");
      one.add_labels(store::SeriesKeyText(series));
    }
    return evidence;
  }

  std::string ModelVersion() const override { return "model-1"; }

 private:
  base::UnixMs start_;
  std::vector<double> coverage_;
  std::map<std::string, std::vector<Slot>> series_;
};

}  // namespace racewatch::fakes
