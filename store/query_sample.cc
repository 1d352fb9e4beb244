// The part of Query that draws samples, and lists what readers said of them.
#include <algorithm>
#include <random>
#include <utility>

#include "racewatch/v1/store_service.pb.h"
#include "store/article_row.h"
#include "store/corrections.h"
#include "store/query.h"

namespace racewatch::store {
namespace {

constexpr uint32_t kSampleDefault = 20, kSampleMax = 200;
constexpr size_t kRowsAtOnce = 500;

// Random numbers that are the same in every build; the standard's distributions are not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  // One of [0, n), each as likely as the others: of the 64-bit numbers those beyond the last whole multiple of n are thrown again.
  uint64_t Below(uint64_t n) {
    const uint64_t over = (UINT64_MAX % n + 1) % n;
    for (;;)
      if (const uint64_t drawn = engine_(); drawn <= UINT64_MAX - over) return drawn % n;
  }

 private:
  std::mt19937_64 engine_;
};

// Reservoir sampling (Vitter 1985, algorithm R): after any number of rows each of them is in with the same probability.
class Reservoir {
 public:
  Reservoir(uint32_t size, uint64_t seed) : size_(size), dice_(seed) {}
  void Add(const std::string& id) {
    if (kept_.size() < size_) kept_.push_back(id);
    else if (const uint64_t place = dice_.Below(seen_ + 1); place < size_) kept_[place] = id;
    ++seen_;
  }
  uint64_t seen() const { return seen_; }
  // In random order, so that the first so many are a sample too.
  std::vector<std::string> Take() {
    for (size_t i = kept_.size(); i > 1; --i) std::swap(kept_[i - 1], kept_[dice_.Below(i)]);
    return std::move(kept_);
  }

 private:
  const uint32_t size_;
  Dice dice_;
  uint64_t seen_ = 0;
  std::vector<std::string> kept_;
};

// Reads the details only where the filter asks for words or a publisher.
class Sampler {
 public:
  Sampler(const View& view, const CompiledFilter& filter, Reservoir& reservoir) : view_(view), filter_(filter), reservoir_(reservoir) {}

  base::Status Look(const std::string& id, const std::string& row_bytes) {
    RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(row_bytes));
    if (!filter_.MatchesCounts(row.counted)) return {};
    if (filter_.needs_article()) {
      RW_ASSIGN_OR_RETURN(const auto detail, view_.Get(Table::kDetail, id));
      v1::TaggedArticle article;
      if (!detail || !article.ParseFromString(*detail)) return base::DataLoss("article detail: missing or damaged");
      if (!filter_.MatchesArticle(article.article())) return {};
    }
    reservoir_.Add(id);
    return {};
  }

  base::Status LookAtAll() {
    base::Status failure;
    RW_RETURN_IF_ERROR(view_.Scan(Table::kArticle, "", "", false, [&](std::string_view key, std::string_view value) {
      failure = Look(std::string(key), std::string(value));
      return failure.ok();
    }));
    return failure;
  }

  // Dated articles only, which is what a filter by time means.
  base::Status LookAtHours(const std::string& begin, const std::string& end) {
    std::vector<std::string> ids;
    base::Status failure;
    RW_RETURN_IF_ERROR(view_.Scan(Table::kTime, begin, end, false, [&](std::string_view key, std::string_view) {
      ids.emplace_back(key.substr(sizeof(uint32_t)));
      if (ids.size() == kRowsAtOnce) failure = LookAt(&ids);
      return failure.ok();
    }));
    RW_RETURN_IF_ERROR(failure);
    return LookAt(&ids);
  }

 private:
  base::Status LookAt(std::vector<std::string>* ids) {
    const std::vector<std::string> taken = std::exchange(*ids, {});
    RW_ASSIGN_OR_RETURN(const auto rows, view_.MultiGet(Table::kArticle, {taken.begin(), taken.end()}));
    for (size_t i = 0; i < taken.size(); ++i)
      if (rows[i]) RW_RETURN_IF_ERROR(Look(taken[i], *rows[i]));
    return {};
  }

  const View& view_;
  const CompiledFilter& filter_;
  Reservoir& reservoir_;
};

std::string HourKey(base::UnixMs ms) { return TimeKey(static_cast<uint32_t>(std::clamp<base::UnixMs>(ms / kMsPerHour, 0, UINT32_MAX)), ArticleId{}); }

}  // namespace

base::Status Query::ListCorrections(const v1::ListCorrectionsRequest& request, v1::ListCorrectionsResponse* response) const {
  return store::ListCorrections(*engine_.Snapshot(), request, response);
}

base::Status Query::SampleArticles(const v1::SampleArticlesRequest& request, v1::SampleArticlesResponse* response) const {
  RW_ASSIGN_OR_RETURN(const CompiledFilter filter, Compile(request.filter()));
  if (request.size() > kSampleMax) return base::InvalidArgument("size: at most " + std::to_string(kSampleMax));
  uint64_t seed = request.seed();
  for (std::random_device random; seed == 0;) seed = random() & 0xffffffff;  // short enough to be typed
  Reservoir reservoir(request.size() == 0 ? kSampleDefault : request.size(), seed);
  const auto view = engine_.Snapshot();
  Sampler sampler(*view, filter, reservoir);
  if (filter.from || filter.to) {
    // The hour of a later end is looked at too; the filter itself knows the moment.
    RW_RETURN_IF_ERROR(sampler.LookAtHours(filter.from ? HourKey(*filter.from) : "", filter.to ? HourKey(*filter.to + kMsPerHour) : ""));
  } else {
    RW_RETURN_IF_ERROR(sampler.LookAtAll());
  }
  response->set_matched(reservoir.seen());
  response->set_seed(seed);
  for (const std::string& id : reservoir.Take()) {
    RW_ASSIGN_OR_RETURN(const auto detail, view->Get(Table::kDetail, id));
    if (!detail || !response->add_articles()->ParseFromString(*detail)) return base::DataLoss("article detail: missing or damaged");
  }
  return {};
}

}  // namespace racewatch::store
