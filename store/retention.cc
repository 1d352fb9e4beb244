#include "store/retention.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/generation_engine.h"
#include "store/progress.h"
#include "store/story_step.h"

namespace racewatch::store {
namespace {

std::string HourBound(uint32_t day) {
  std::string key;
  AppendBig(&key, day * 24);
  return key;
}

// In a generation that is being built, a story that leaves counts by the article that led it, from when that article is there.
base::Status LeaveMirror(const Engine& engine, uint32_t building, const std::string& id, const StoryRow& story, Batch* batch) {
  if (building == 0) return {};
  RW_ASSIGN_OR_RETURN(const auto stored, GenerationView(engine.whole(), building).Get(Table::kStory, id));
  if (!stored) return {};
  RW_ASSIGN_OR_RETURN(const StoryRow mirrored, StoryRow::Decode(*stored));
  if (mirrored.lead != story.lead) batch->Count({mirrored.counted, Measure::kStories, -1, false, building});
  Place place = PlaceOf(building, Table::kStory, id);
  batch->Delete(place.table, std::move(place.key));
  return {};
}

// The member leaves; a story without members leaves with it. What its earliest copy was is kept: a re-tag reads that article in
// the archive and counts the story by its new labels.
base::Status DeleteMember(const Engine& engine, const std::string& id, const ArticleRow& row,
                          const std::set<std::string>& leaving, std::map<std::string, StoryRow>* gone, Batch* batch) {
  if (row.story.empty()) return {};
  batch->Delete(Table::kStoryMember, row.story + id);
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kStory, row.story));
  if (!stored) return {};
  RW_ASSIGN_OR_RETURN(const StoryRow story, StoryRow::Decode(*stored));
  if (IdBytes(story.lead) == id) batch->Put(Table::kStoryLead, id, row.story);
  bool others = false;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kStoryMember, row.story, "", false, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(row.story)) return false;
    others = !leaving.contains(std::string(key.substr(row.story.size())));
    return !others;
  }));
  if (others) return {};
  batch->Delete(Table::kStory, row.story);
  batch->Delete(Table::kStoryTime, StoryTimeKey(story.counted.event.ms, row.story));
  gone->emplace(row.story, story);
  return {};
}

base::Status DeleteUrls(const std::string& detail, Batch* batch) {
  v1::TaggedArticle article;
  if (!article.ParseFromString(detail)) return base::DataLoss("article detail: damaged");
  batch->Delete(Table::kUrl, UrlKey(article.article().canonical_url()));
  batch->Delete(Table::kUrl, UrlKey(article.article().url()));
  return {};
}

base::Result<size_t> DeleteArticles(const Engine& engine, uint32_t first_open_day, size_t articles_max, uint32_t building, Batch* batch) {
  std::vector<std::string> keys;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kTime, "", HourBound(first_open_day), false, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return keys.size() < articles_max;
  }));
  std::set<std::string> leaving;
  std::map<std::string, StoryRow> gone;
  for (const auto& key : keys) leaving.insert(key.substr(sizeof(uint32_t)));
  for (const auto& key : keys) {
    const std::string id = key.substr(sizeof(uint32_t));
    batch->Delete(Table::kTime, key);
    RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kArticle, id));
    if (!stored) continue;
    RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(*stored));
    RW_RETURN_IF_ERROR(DeleteMember(engine, id, row, leaving, &gone, batch));
    RW_ASSIGN_OR_RETURN(const auto detail, engine.Get(Table::kDetail, id));
    if (detail) RW_RETURN_IF_ERROR(DeleteUrls(*detail, batch));
    batch->Delete(Table::kDetail, id);
    // A revision counted meanwhile must not vanish with what was read.
    batch->Expect(Table::kArticle, id, stored);
    batch->Delete(Table::kArticle, id);
  }
  for (const auto& [id, story] : gone) RW_RETURN_IF_ERROR(LeaveMirror(engine, building, id, story, batch));
  return keys.size();
}

base::Result<uint64_t> LastSequence(const Engine& engine, Table table) {
  uint64_t last = 0;
  RW_RETURN_IF_ERROR(engine.Scan(table, "", "", true, [&](std::string_view key, std::string_view) {
    last = Reader(key).Big<uint64_t>();
    return false;
  }));
  return last;
}

// Everything that goes by range, once a day of the stream.
base::Status DeleteRanges(const Engine& engine, const RetentionOptions& options, uint32_t hour_day, const Progress& progress,
                          Batch* batch) {
  for (Slice slice = 0; slice < kSlicesPerWindow; ++slice)
    batch->DeleteRange(Table::kWindow, WindowRowKey(WindowKind::kHour, slice, 0), WindowRowKey(WindowKind::kHour, slice, hour_day * 24));
  batch->DeleteRange(Table::kFamily, FamilyRowPrefix(WindowKind::kHour, 0), FamilyRowPrefix(WindowKind::kHour, hour_day * 24));
  RW_ASSIGN_OR_RETURN(const uint64_t last_feed, LastSequence(engine, Table::kFeed));
  if (last_feed > options.feed_rows_max)
    batch->DeleteRange(Table::kFeed, SequenceKey(0), SequenceKey(last_feed - options.feed_rows_max));
  const base::UnixMs oldest_trail = progress.stream_ms - options.late_days_max * kMsPerDay;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kTrail, "", "", false, [&](std::string_view key, std::string_view value) {
    if (Reader(value).Signed() < oldest_trail) batch->Delete(Table::kTrail, std::string(key));
    return true;
  }));
  RW_ASSIGN_OR_RETURN(const uint64_t last_alert, LastSequence(engine, Table::kAlertLog));
  std::string first_unsent;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kOutbox, "", "", false, [&](std::string_view key, std::string_view) {
    first_unsent = std::string(key);
    return false;
  }));
  if (last_alert > options.alert_rows_max) {
    std::string end = SequenceKey(last_alert - options.alert_rows_max);
    if (!first_unsent.empty()) end = std::min(end, first_unsent);
    batch->DeleteRange(Table::kAlertLog, SequenceKey(0), end);
  }
  return {};
}

}  // namespace

base::Result<bool> RunRetention(Engine& engine, const RetentionOptions& options, const Claim& leader,
                                size_t articles_max, uint32_t building) {
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(engine));
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kMeta, kFrozenKey));
  RW_ASSIGN_OR_RETURN(const uint32_t first_open_day, DecodeFrozen(stored));
  const auto today = static_cast<uint32_t>(progress.stream_ms / kMsPerDay);
  const uint32_t open_day = today > options.late_days_max ? today - options.late_days_max : 0;
  Batch batch;
  batch.Require(leader);
  if (open_day > first_open_day) {
    // Hours of a day that may still change are never removed.
    const uint32_t hour_day = std::min(open_day, today - std::min(today, options.hour_windows_days));
    RW_RETURN_IF_ERROR(DeleteRanges(engine, options, hour_day, progress, &batch));
    batch.Put(Table::kMeta, std::string(kFrozenKey), EncodeFrozen(open_day));
    RW_RETURN_IF_ERROR(engine.Commit(batch));
    return true;
  }
  // While their story work waits, articles stay: the step needs their rows.
  RW_ASSIGN_OR_RETURN(const size_t deleted, DeleteArticles(engine, first_open_day, articles_max, building, &batch));
  if (deleted == 0) return false;
  RW_RETURN_IF_ERROR(engine.Commit(batch));
  return true;
}

}  // namespace racewatch::store
