#include "store/shadow_batch.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <set>
#include <utility>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/codec.h"

namespace racewatch::store {
namespace {

// What does not depend on labels is as the active generation has it.
void TakeFrom(const ArticleRow& active, ArticleRow* row) {
  row->version = active.version;
  row->counted_at_ms = active.counted_at_ms;
  row->revised_at_ms = active.revised_at_ms;
  row->time_hour = active.time_hour;
  if (!active.story.empty()) row->story = active.story;
  row->redacted = row->redacted || active.redacted;
}

base::Result<std::optional<ArticleRow>> Row(const std::optional<std::string>& stored) {
  if (!stored) return std::optional<ArticleRow>();
  RW_ASSIGN_OR_RETURN(ArticleRow row, ArticleRow::Decode(*stored));
  return std::optional<ArticleRow>(std::move(row));
}

base::Result<std::optional<StoryRow>> Story(const std::optional<std::string>& stored) {
  if (!stored) return std::optional<StoryRow>();
  RW_ASSIGN_OR_RETURN(StoryRow row, StoryRow::Decode(*stored));
  return std::optional<StoryRow>(std::move(row));
}

}  // namespace

struct ShadowBatch::Item {
  v1::TaggedArticle* message = nullptr;
  Sighting sighting;
  std::string id;
};

// The re-tagger has asked the whole text, under the new labels. A query that came while this is built counts what came after it.
std::vector<QuerySlot> ShadowBatch::QueriesOf(const Item& item) const {
  const auto& met = item.message->query_fingerprints();
  std::vector<QuerySlot> slots;
  for (const SavedQuery& query : queries_)
    if ((query.since_ms == 0 || item.sighting.fetched_at_ms > query.since_ms) &&
        std::find(met.begin(), met.end(), query.fingerprint) != met.end())
      slots.push_back(query.slot);
  return slots;
}

void ShadowBatch::Put(Table table, std::string_view key, std::string value, Batch* batch) {
  Place place = PlaceOf(generation_.number, table, key);
  batch->Put(place.table, std::move(place.key), std::move(value));
}

base::Status ShadowBatch::ReadKnown(const std::vector<Item>& items) {
  std::vector<std::string_view> ids;
  for (const Item& item : items)
    if (known_.try_emplace(item.id).second) ids.push_back(item.id);
  std::sort(ids.begin(), ids.end());
  RW_ASSIGN_OR_RETURN(const auto rows, view_.MultiGet(Table::kArticle, ids));
  RW_ASSIGN_OR_RETURN(const auto active, engine_.MultiGet(Table::kArticle, ids));
  RW_ASSIGN_OR_RETURN(const auto details, engine_.MultiGet(Table::kDetail, ids));
  for (size_t i = 0; i < ids.size(); ++i) {
    Known& known = known_.at(std::string(ids[i]));
    known.stored = rows[i];
    RW_ASSIGN_OR_RETURN(known.row, Row(rows[i]));
    known.before = known.row;
    RW_ASSIGN_OR_RETURN(known.active, Row(active[i]));
    known.detail = details[i];
  }
  return ReadLeads();
}

// Of articles that the active generation has removed.
base::Status ShadowBatch::ReadLeads() {
  std::vector<std::string_view> gone;
  for (const auto& [id, known] : known_)
    if (!known.active) gone.push_back(id);
  std::sort(gone.begin(), gone.end());
  RW_ASSIGN_OR_RETURN(const auto led, engine_.MultiGet(Table::kStoryLead, gone));
  for (size_t i = 0; i < gone.size(); ++i) known_.at(std::string(gone[i])).led = led[i];
  return {};
}

base::Status ShadowBatch::WriteDetail(Item* item, Known* known, Outcome outcome, Batch* batch) {
  const bool redacted = known->row->redacted;
  if (outcome == Outcome::kStored || outcome == Outcome::kRevised) {
    if (known->detail) {
      RW_ASSIGN_OR_RETURN(known->kept, EncodeDetailWithTags(*known->detail, *item->message, redacted));
    } else {
      known->kept = EncodeDetail(item->message, redacted);
    }
  } else {
    if (!redacted || (known->before && known->before->redacted)) return {};
    if (!known->kept) {
      RW_ASSIGN_OR_RETURN(known->kept, view_.Get(Table::kDetail, item->id));
    }
    v1::TaggedArticle kept = *item->message;
    if (known->kept && !kept.ParseFromString(*known->kept)) return base::DataLoss("article detail: damaged");
    known->kept = EncodeDetail(&kept, true);
  }
  Put(Table::kDetail, item->id, *known->kept, batch);
  return {};
}

base::Status ShadowBatch::ApplyOne(Item* item, Batch* batch) {
  Known& known = known_.at(item->id);
  item->sighting.what.queries = QueriesOf(*item);
  // Frozen days are those of the active generation: this one takes them all in, and loses their ids once it is active.
  Decision decision = Decide(item->sighting, known.row, {0, late_days_max_}, now_ms_);
  if (decision.outcome == Outcome::kStored || decision.outcome == Outcome::kRevised) ++counted_;
  else ++dropped_[std::string(DropReason(decision.outcome))];
  if (decision.changed) known.row = std::move(decision.row);
  if (!known.row) return {};
  if (known.active) TakeFrom(*known.active, &*known.row);
  for (CountChange& change : decision.counts) {
    if (change.first) continue;  // a re-tag is no first tagging
    change.generation = generation_.number;
    batch->Count(std::move(change));
  }
  return WriteDetail(item, &known, decision.outcome, batch);
}

base::Status ShadowBatch::MirrorStories(Batch* batch) {
  std::set<std::string> ids;
  for (const auto& [id, known] : known_) {
    if (!known.row) continue;
    if (!known.row->story.empty()) ids.insert(known.row->story);
    if (known.led) ids.insert(*known.led);
  }
  std::map<std::string, std::string> leads;  // of the stories that the active generation has
  const std::vector<std::string_view> keys(ids.begin(), ids.end());
  RW_ASSIGN_OR_RETURN(const auto active, engine_.MultiGet(Table::kStory, keys));
  RW_ASSIGN_OR_RETURN(const auto mirrored, view_.MultiGet(Table::kStory, keys));
  for (size_t i = 0; i < keys.size(); ++i) {
    RW_ASSIGN_OR_RETURN(const auto story, Story(active[i]));
    if (!story) continue;
    const auto lead = known_.find(leads[std::string(keys[i])] = IdBytes(story->lead));
    if (lead == known_.end() || !lead->second.row) continue;  // as it was; the lead comes with its own record
    RW_ASSIGN_OR_RETURN(const auto before, Story(mirrored[i]));
    MirrorStory(generation_.number, std::string(keys[i]), *story, before, &lead->second.row->counted, batch);
  }
  for (const auto& [id, known] : known_) {
    if (!known.row || !known.led) continue;
    const auto lead = leads.find(*known.led);
    if (lead != leads.end() && lead->second == id) continue;  // other copies are left, so it stands above
    CountStory(generation_.number, known.before ? &known.before->counted : nullptr, known.row->counted, batch);
  }
  return {};
}

base::Status ShadowBatch::Fill(const std::vector<const base::Record*>& records, Batch* batch) {
  google::protobuf::Arena arena;
  std::vector<Item> items;
  for (const base::Record* record : records) {
    Item item;
    item.message = google::protobuf::Arena::CreateMessage<v1::TaggedArticle>(&arena);
    auto sighting = ReadSighting(*record, item.message);
    if (!sighting.ok()) {  // its original lies in the dead-letter topic, put there by who counted
      ++dropped_[DeadLetterReason(sighting.status())];
      continue;
    }
    item.sighting = std::move(sighting).value();
    PreferModel(item.message->tags().model_version() == generation_.model_version, &item.sighting.rank);
    item.id = IdBytes(item.sighting.id);
    item.message->clear_generation();
    items.push_back(std::move(item));
  }
  RW_RETURN_IF_ERROR(ReadKnown(items));
  for (Item& item : items) RW_RETURN_IF_ERROR(ApplyOne(&item, batch));
  for (const auto& [id, known] : known_) {
    if (!known.row) continue;
    std::string encoded = known.row->Encode();
    if (known.stored == encoded) continue;
    const bool moved = !known.before || known.before->time_hour != known.row->time_hour;
    const ArticleId article = *IdFromBytes(id);
    if (moved && known.before) {
      Place place = PlaceOf(generation_.number, Table::kTime, TimeKey(known.before->time_hour, article));
      batch->Delete(place.table, std::move(place.key));
    }
    if (moved) Put(Table::kTime, TimeKey(known.row->time_hour, article), "", batch);
    Put(Table::kArticle, id, std::move(encoded), batch);
  }
  return MirrorStories(batch);
}

}  // namespace racewatch::store
