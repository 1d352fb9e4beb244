// The part of Query that looks at single articles, stories and alerts.
#include <algorithm>
#include <charconv>
#include <set>

#include "racewatch/v1/store_service.pb.h"
#include "store/applier.h"
#include "store/article_lookup.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/query.h"
#include "store/story/story_index.h"
#include "store/story_step.h"

namespace racewatch::store {
namespace {

constexpr size_t kMembersMax = 1000;
constexpr size_t kScanMax = 50'000;  // rows one page or one watch step looks at

void SetMs(google::protobuf::Timestamp* field, base::UnixMs ms) {
  field->set_seconds(ms / 1000);
  field->set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

std::string ToHex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[c & 15]);
  }
  return out;
}

base::Result<std::string> FromHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    if (error != std::errc() || end != hex.data() + i + 2) return base::InvalidArgument("page_token: not one of ours");
    out.push_back(static_cast<char>(byte));
  }
  if (hex.size() % 2 != 0) return base::InvalidArgument("page_token: not one of ours");
  return out;
}

base::Result<size_t> PageSize(uint32_t wanted) {
  if (wanted > 500) return base::InvalidArgument("page_size: at most 500");
  return size_t{wanted == 0 ? 50 : wanted};
}

base::Result<uint64_t> LastSequence(const View& view, Table table) {
  uint64_t last = 0;
  RW_RETURN_IF_ERROR(view.Scan(table, "", "", true, [&](std::string_view key, std::string_view) {
    last = Reader(key).Big<uint64_t>();
    return false;
  }));
  return last;
}

base::Result<uint64_t> Cursor(const View& view, Table table, const std::string& token) {
  if (token.empty()) return LastSequence(view, table);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size())
    return base::InvalidArgument("resume_token: '" + token.substr(0, 40) + "' is not one of ours");
  return value;
}

base::Result<std::optional<ArticleRow>> ReadArticle(const View& view, std::string_view id) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kArticle, id));
  if (!stored) return std::optional<ArticleRow>();
  RW_ASSIGN_OR_RETURN(ArticleRow row, ArticleRow::Decode(*stored));
  return std::optional<ArticleRow>(std::move(row));
}

base::Status ReadDetail(const View& view, std::string_view id, v1::TaggedArticle* out) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kDetail, id));
  if (!stored) return base::NotFound("article " + ToHex(id) + ": its text is no longer kept");
  if (!out->ParseFromString(*stored)) return base::DataLoss("article " + ToHex(id) + ": detail damaged");
  return {};
}

void FillMember(const std::string& id, const MemberRow& row, const v1::Article& article, v1::StoryMember* out) {
  out->set_article_id(ToHex(id));
  out->set_relation(std::string(RelationName(static_cast<StoryRelation>(row.relation))));
  out->set_kind(std::string(KindName(static_cast<StoryKind>(row.kind))));
  out->set_similarity(row.similarity);
  out->set_publisher(article.publisher());
  out->set_title(article.title());
  out->set_url(article.url());
  if (row.event_ms > 0) SetMs(out->mutable_published(), row.event_ms);
}

void AddStep(v1::WhereIsResponse* out, base::UnixMs at, const char* stage, const char* what, std::string_view reason = "") {
  v1::WhereIsStep* step = out->add_steps();
  if (at > 0) SetMs(step->mutable_at(), at);
  step->set_stage(stage);
  step->set_what(what);
  step->set_reason(std::string(reason));
}

}  // namespace

base::Status Query::FillStory(const View& view, const std::string& id, bool members, v1::Story* story) const {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kStory, id));
  if (!stored) return base::NotFound("story " + ToHex(id) + ": not known");
  RW_ASSIGN_OR_RETURN(const StoryRow row, StoryRow::Decode(*stored));
  story->set_id(ToHex(id));
  story->set_articles(row.articles);
  if (row.counted.event.ms > 0) SetMs(story->mutable_published(), row.counted.event.ms);
  for (size_t i = 0; i < kThemeCount; ++i)
    if (row.counted.labels.themes >> i & 1u) story->add_themes(std::string(base::kThemes[i]));
  v1::TaggedArticle lead;
  if (ReadDetail(view, IdBytes(row.lead), &lead).ok()) {
    story->set_title(lead.article().title());
    story->set_origin_publisher(lead.article().publisher());
  }
  std::set<std::string> publishers;
  size_t count = 0;
  base::Status damage;
  RW_RETURN_IF_ERROR(view.Scan(Table::kStoryMember, id, "", false, [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(id) || ++count > kMembersMax) return false;
    const auto member = MemberRow::Decode(value);
    if (!member.ok()) return damage = member.status(), false;
    const std::string article_id(key.substr(id.size()));
    v1::TaggedArticle article;
    (void)ReadDetail(view, article_id, &article);  // a member whose text has gone still counts
    publishers.insert(article.article().publisher());
    if (members) FillMember(article_id, *member, article.article(), story->add_members());
    return true;
  }));
  story->set_publishers(static_cast<uint32_t>(publishers.size()));
  std::sort(story->mutable_members()->begin(), story->mutable_members()->end(), [](const auto& a, const auto& b) {
    return std::pair(a.published().seconds(), a.article_id()) < std::pair(b.published().seconds(), b.article_id());
  });
  return damage;
}

base::Status Query::ListStories(const v1::ListStoriesRequest& request, v1::ListStoriesResponse* response) const {
  RW_ASSIGN_OR_RETURN(const CompiledFilter filter, Compile(request.filter()));
  RW_ASSIGN_OR_RETURN(const size_t page_size, PageSize(request.page_size()));
  RW_ASSIGN_OR_RETURN(std::string end, FromHex(request.page_token()));
  if (end.empty() && filter.to) end = StoryTimeKey(*filter.to, "");
  const std::string begin = filter.from ? StoryTimeKey(*filter.from, "") : "";
  const auto view = engine_.Snapshot();
  base::Status failure;
  size_t looked = 0;
  std::string last;
  bool more = false;
  const auto visit = [&](std::string_view key, std::string_view) {
    if (static_cast<size_t>(response->stories_size()) == page_size || ++looked > kScanMax) return more = true, false;
    last = std::string(key);
    const std::string id(key.substr(sizeof(uint64_t)));
    const auto stored = view->Get(Table::kStory, id);
    const auto row = stored.ok() && *stored ? StoryRow::Decode(**stored) : base::Result<StoryRow>(base::DataLoss("story row: missing"));
    if (!row.ok()) return failure = row.status(), false;
    if (!filter.MatchesCounts(row->counted)) return true;
    v1::TaggedArticle lead;
    (void)ReadDetail(*view, IdBytes(row->lead), &lead);
    if (!filter.MatchesArticle(lead.article())) return true;
    failure = FillStory(*view, id, false, response->add_stories());
    return failure.ok();
  };
  RW_RETURN_IF_ERROR(view->Scan(Table::kStoryTime, begin, end, true, visit));
  RW_RETURN_IF_ERROR(failure);
  if (more) response->set_next_page_token(ToHex(last));
  return {};
}

base::Status Query::GetStory(const v1::GetStoryRequest& request, v1::GetStoryResponse* response) const {
  const auto id = ParseArticleId(request.id());
  if (!id) return base::InvalidArgument("id: 32 hexadecimal digits are needed");
  const auto view = engine_.Snapshot();
  RW_ASSIGN_OR_RETURN(const auto article, ReadArticle(*view, IdBytes(*id)));
  const std::string story = article && !article->story.empty() ? article->story : IdBytes(*id);
  return FillStory(*view, story, true, response->mutable_story());
}

base::Status Query::ListAlerts(const v1::ListAlertsRequest& request, v1::ListAlertsResponse* response) const {
  RW_ASSIGN_OR_RETURN(const size_t page_size, PageSize(request.page_size()));
  RW_ASSIGN_OR_RETURN(std::string end, FromHex(request.page_token()));
  const auto view = engine_.Snapshot();
  std::set<std::string> seen;  // ids whose later state was met already
  // A later page must not show an older state of what an earlier page has shown.
  if (!end.empty())
    RW_RETURN_IF_ERROR(view->Scan(Table::kAlertLog, end, "", true, [&](std::string_view, std::string_view value) {
      v1::Alert alert;
      if (alert.ParseFromArray(value.data(), static_cast<int>(value.size()))) seen.insert(alert.id());
      return true;
    }));
  std::string last;
  bool more = false;
  RW_RETURN_IF_ERROR(view->Scan(Table::kAlertLog, "", end, true, [&](std::string_view key, std::string_view value) {
    v1::Alert alert;
    if (!alert.ParseFromArray(value.data(), static_cast<int>(value.size())) || !seen.insert(alert.id()).second) return true;
    if (request.open_only() && alert.state() == v1::ALERT_STATE_CLOSE) return true;
    if (!request.rule().empty() && alert.rule() != request.rule()) return true;
    if (static_cast<size_t>(response->alerts_size()) == page_size) return more = true, false;
    last = std::string(key);
    *response->add_alerts() = std::move(alert);
    return true;
  }));
  if (more) response->set_next_page_token(ToHex(last));
  return {};
}

base::Status Query::WhereIs(const v1::WhereIsRequest& request, v1::WhereIsResponse* response) const {
  const auto view = engine_.Snapshot();
  RW_ASSIGN_OR_RETURN(const std::string id, ResolveArticle(*view, request.article()));
  response->set_article_id(ToHex(id));
  RW_ASSIGN_OR_RETURN(const auto row, ReadArticle(*view, id));
  RW_ASSIGN_OR_RETURN(const auto trail, view->Get(Table::kTrail, id));
  if (!row && !trail) return base::NotFound("article " + ToHex(id) + ": the store has not seen it");
  if (trail) {
    Reader in(*trail);
    const base::UnixMs at = in.Signed();
    AddStep(response, at, "store", "dropped", in.Text());
  }
  if (!row) return {};
  if (ReadDetail(*view, id, response->mutable_article()).ok()) {
    const v1::TaggedArticle& article = response->article();
    const auto ms = [](const google::protobuf::Timestamp& t) { return t.seconds() * 1000 + t.nanos() / 1'000'000; };
    AddStep(response, ms(article.article().fetched_at()), "ingest", "published");
    AddStep(response, ms(article.tagged_at()), "tagger", "tagged");
  }
  AddStep(response, row->counted_at_ms, "store", "counted");
  if (row->revised_at_ms > 0) AddStep(response, row->revised_at_ms, "store", "revised");
  if (!row->story.empty()) response->set_story_id(ToHex(row->story));
  return {};
}

base::Result<uint64_t> Query::LatestArticles(const v1::ArticleFilter& wanted, uint32_t page_size, uint64_t before,
                                             const VisitArticle& visit) const {
  RW_ASSIGN_OR_RETURN(const CompiledFilter filter, Compile(wanted));
  RW_ASSIGN_OR_RETURN(const size_t limit, PageSize(page_size));
  base::Status failure;
  size_t found = 0, looked = 0;
  uint64_t next = 0, last = 0;
  const auto view = engine_.Snapshot();
  const auto look = [&](std::string_view key, std::string_view value) {
    if (found == limit || ++looked > kScanMax) return next = last, false;
    last = Reader(key).Big<uint64_t>();
    const auto counted = FeedRow::Decode(value);
    const auto row = counted.ok() ? ReadArticle(*view, counted->article) : base::Result<std::optional<ArticleRow>>(counted.status());
    if (!row.ok()) return failure = row.status(), false;
    if (!*row || (*row)->version != counted->version || (*row)->redacted || !filter.MatchesCounts((*row)->counted)) return true;
    v1::TaggedArticle article;
    if (!ReadDetail(*view, counted->article, &article).ok() || !filter.MatchesArticle(article.article())) return true;
    visit(**row, article);
    ++found;
    return true;
  };
  RW_RETURN_IF_ERROR(view->Scan(Table::kFeed, "", before == 0 ? "" : SequenceKey(before), true, look));
  RW_RETURN_IF_ERROR(failure);
  return next;
}

base::Status Query::ListQueries(const v1::ListQueriesRequest&, v1::ListQueriesResponse* response) const {
  RW_ASSIGN_OR_RETURN(const std::vector<SavedQuery> queries, ReadQueries(engine_));
  for (const SavedQuery& query : queries) {
    v1::SavedQuery* out = response->add_queries();
    out->set_name(query.name);
    out->set_expression(query.expression);
    if (query.since_ms > 0) SetMs(out->mutable_counted_since(), query.since_ms);
  }
  return {};
}

base::Result<CompiledFilter> Query::Compile(const v1::ArticleFilter& filter) const {
  RW_ASSIGN_OR_RETURN(const std::vector<SavedQuery> queries, ReadQueries(engine_));
  return CompiledFilter::Make(filter, queries);
}

base::Result<uint64_t> Query::ArticleCursor(const std::string& resume_token) const {
  return Cursor(engine_, Table::kFeed, resume_token);
}
base::Result<uint64_t> Query::AlertCursor(const std::string& resume_token) const {
  return Cursor(engine_, Table::kAlertLog, resume_token);
}

base::Status Query::NextArticles(const CompiledFilter& filter, size_t limit, uint64_t* cursor,
                                 std::vector<v1::WatchArticlesResponse>* out) const {
  base::Status failure;
  size_t looked = 0;
  const auto view = engine_.Snapshot();
  RW_RETURN_IF_ERROR(view->Scan(Table::kFeed, SequenceKey(*cursor + 1), "", false, [&](std::string_view key, std::string_view value) {
    if (out->size() == limit || ++looked > kScanMax) return false;
    const uint64_t sequence = Reader(key).Big<uint64_t>();
    *cursor = sequence;
    const auto counted = FeedRow::Decode(value);
    if (!counted.ok()) return failure = counted.status(), false;
    const auto row = ReadArticle(*view, counted->article);
    if (!row.ok()) return failure = row.status(), false;
    if (!*row || (*row)->version != counted->version || !filter.MatchesCounts((*row)->counted)) return true;
    v1::WatchArticlesResponse response;
    if (!ReadDetail(*view, counted->article, response.mutable_article()).ok()) return true;
    if (!filter.MatchesArticle(response.article().article())) return true;
    response.set_resume_token(std::to_string(sequence));
    out->push_back(std::move(response));
    return true;
  }));
  return failure;
}

base::Status Query::NextAlerts(const std::string& rule, size_t limit, uint64_t* cursor,
                               std::vector<v1::WatchAlertsResponse>* out) const {
  return engine_.Scan(Table::kAlertLog, SequenceKey(*cursor + 1), "", false, [&](std::string_view key, std::string_view value) {
    if (out->size() == limit) return false;
    *cursor = Reader(key).Big<uint64_t>();
    v1::WatchAlertsResponse response;
    if (!response.mutable_alert()->ParseFromArray(value.data(), static_cast<int>(value.size()))) return true;
    if (!rule.empty() && response.alert().rule() != rule) return true;
    response.set_resume_token(std::to_string(*cursor));
    out->push_back(std::move(response));
    return true;
  });
}

}  // namespace racewatch::store
