#include "store/saved_query/saved_queries.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <set>
#include <utility>

#include "racewatch/v1/config.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/apply.h"
#include "store/codec.h"
#include "store/generations.h"
#include "store/progress.h"

namespace racewatch::store {
namespace {

constexpr char kKey[] = "saved_queries";

struct QueryTable {
  QuerySlot next_slot = 0;
  std::vector<SavedQuery> queries;  // in force, by slot

  std::string Encode() const {
    std::string out;
    AppendVarint(&out, 2);  // 1: without whole_from
    AppendVarint(&out, next_slot);
    AppendVarint(&out, queries.size());
    for (const SavedQuery& query : queries) {
      AppendVarint(&out, query.slot);
      AppendText(&out, query.name);
      AppendText(&out, query.expression);
      AppendBig(&out, query.fingerprint);
      AppendSigned(&out, query.since_ms);
      AppendVarint(&out, query.whole_from);
    }
    return out;
  }
  static base::Result<QueryTable> Decode(const std::optional<std::string>& stored) {
    QueryTable table;
    if (!stored) return table;
    Reader in(*stored);
    const uint64_t version = in.Varint();
    table.next_slot = static_cast<QuerySlot>(in.Varint());
    for (uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
      SavedQuery query;
      query.slot = static_cast<QuerySlot>(in.Varint());
      query.name = std::string(in.Text());
      query.expression = std::string(in.Text());
      query.fingerprint = in.Big<uint64_t>();
      query.since_ms = in.Signed();
      query.whole_from = version == 1 ? query.since_ms == 0 ? 0 : kNoGeneration : static_cast<uint32_t>(in.Varint());
      table.queries.push_back(std::move(query));
    }
    if (!in.ok() || !in.done() || version < 1 || version > 2) return base::DataLoss("saved queries: damaged row");
    return table;
  }
};

bool ValidName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

void ValidateQueries(const v1::StoreConfig& config, base::Problems* problems) {
  if (config.queries_size() > kQueriesMax) problems->Add("queries", "more than " + std::to_string(kQueriesMax));
  std::set<std::string> names;
  for (int i = 0; i < config.queries_size(); ++i) {
    const std::string at = "queries[" + std::to_string(i) + "]";
    const std::string& name = config.queries(i).name();
    if (!ValidName(name)) problems->Add(at + ".name", "must be 1 to 64 of a-z 0-9 _ -, not '" + name + "'");
    if (!names.insert(name).second) problems->Add(at + ".name", "'" + name + "' is used twice");
    if (const auto query = BooleanQuery::Parse(config.queries(i).expression()); !query.ok())
      problems->Add(at + ".expression", query.status().message());
  }
}

base::Result<std::vector<SavedQuery>> ReadQueries(const View& view, std::optional<uint32_t> generation) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kMeta, kKey));
  RW_ASSIGN_OR_RETURN(QueryTable table, QueryTable::Decode(stored));
  if (table.queries.empty()) return std::move(table.queries);
  if (!generation) {
    RW_ASSIGN_OR_RETURN(const Generations generations, ReadGenerations(view));
    generation = generations.active;
  }
  for (SavedQuery& query : table.queries)
    if (*generation >= query.whole_from) query.since_ms = 0;
  return std::move(table.queries);
}

uint64_t FingerprintOf(const std::vector<SavedQuery>& queries) {
  std::vector<uint64_t> all;
  for (const SavedQuery& query : queries) all.push_back(query.fingerprint);
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return XXH3_64bits(all.data(), all.size() * sizeof all[0]);
}

base::Status AskInGeneration(const View& view, uint32_t generation, Batch* batch) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kMeta, kKey));
  RW_ASSIGN_OR_RETURN(QueryTable table, QueryTable::Decode(stored));
  if (table.queries.empty()) return {};
  for (SavedQuery& query : table.queries) query.whole_from = std::min(query.whole_from, generation);
  batch->Replace(Table::kMeta, kKey, stored, table.Encode());
  return {};
}

const SavedQuery* FindQuery(const std::vector<SavedQuery>& queries, std::string_view name) {
  const auto at = std::find_if(queries.begin(), queries.end(), [name](const SavedQuery& query) { return query.name == name; });
  return at == queries.end() ? nullptr : &*at;
}

std::string UnknownQuery(const std::vector<SavedQuery>& queries, std::string_view name) {
  std::string known;
  for (const SavedQuery& query : queries) known += (known.empty() ? "" : ", ") + query.name;
  return "unknown query '" + std::string(name.substr(0, 64)) + "'; known are " + (known.empty() ? "none" : known);
}

base::Result<std::vector<SavedQuery>> RegisterQueries(Engine& engine, const v1::StoreConfig& config) {
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kMeta, kKey));
  RW_ASSIGN_OR_RETURN(const QueryTable before, QueryTable::Decode(stored));
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(engine));
  QueryTable table;
  table.next_slot = before.next_slot;
  for (const auto& configured : config.queries()) {
    RW_ASSIGN_OR_RETURN(const BooleanQuery query, BooleanQuery::Parse(configured.expression()));
    const SavedQuery* known = FindQuery(before.queries, configured.name());
    if (known && known->fingerprint == query.fingerprint()) {
      table.queries.push_back(*known);
      table.queries.back().expression = configured.expression();
      continue;
    }
    if (table.next_slot == kQuerySlots)
      return base::InvalidArgument("query '" + configured.name() + "': this store has counted " + std::to_string(kQuerySlots) +
                                     " different queries and takes no more; build it anew from the tagged topics");
    table.queries.push_back({table.next_slot++, configured.name(), configured.expression(), query.fingerprint(), progress.stream_ms,
                             progress.stream_ms == 0 ? 0 : kNoGeneration});
  }
  std::sort(table.queries.begin(), table.queries.end(), [](const SavedQuery& a, const SavedQuery& b) { return a.slot < b.slot; });
  if (std::string row = table.Encode(); (stored || !table.queries.empty()) && stored != row) {
    Batch batch;
    batch.Replace(Table::kMeta, kKey, stored, std::move(row));
    RW_RETURN_IF_ERROR(engine.Commit(batch));
  }
  return std::move(table.queries);
}

QueryMatcher::QueryMatcher(const std::vector<SavedQuery>& queries) {
  for (const SavedQuery& saved : queries) {
    auto query = BooleanQuery::Parse(saved.expression);
    if (!query.ok()) continue;  // registered by a build that knows more: its own to count
    reads_text_ |= query->reads_text();
    queries_.push_back({saved.slot, saved.fingerprint, std::move(query).value()});
  }
}

std::vector<QuerySlot> QueryMatcher::Match(const v1::TaggedArticle& tagged, const Contribution& what) {
  std::vector<QuerySlot> slots;
  if (queries_.empty()) return slots;
  const v1::Article& article = tagged.article();
  const auto& carried = tagged.query_fingerprints();
  const bool by_fingerprint = article.redacted();
  if (reads_text_ && !by_fingerprint) {
    title_.Set(article.title());
    text_.Set(article.text());
  }
  std::string publisher = article.publisher();
  for (char& c : publisher)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const QuerySubject subject{title_, text_, what.labels, what.language, what.group, publisher};
  for (const Compiled& one : queries_) {
    const bool met = by_fingerprint ? std::find(carried.begin(), carried.end(), one.fingerprint) != carried.end() : one.query.Matches(subject);
    if (met) slots.push_back(one.slot);
  }
  return slots;
}

void QueryMatcher::Ask(v1::TaggedArticle* article) {
  const auto what = ContributionOf(*article);
  if (what.ok()) KeepFingerprints(Match(*article, *what), article);
}

void QueryMatcher::KeepFingerprints(const std::vector<QuerySlot>& slots, v1::TaggedArticle* article) const {
  if (article->article().redacted()) return;  // it has those it came with
  article->clear_query_fingerprints();
  for (const Compiled& one : queries_)
    if (std::binary_search(slots.begin(), slots.end(), one.slot)) article->add_query_fingerprints(one.fingerprint);
}

}  // namespace racewatch::store
