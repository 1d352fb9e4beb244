// A re-tag from begin to switch over each engine: what is built beside is what a store has that tagged with the new model
// from the start, through crashes of both processes and with live articles coming in; readers see all old or all new.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "racewatch/v1/store_service.pb.h"
#include "store/digest.h"
#include "store/generation_engine.h"
#include "store/progress.h"
#include "store/postgresql_engine.h"
#include "store/redaction.h"
#include "store/retag_report.h"
#include "store/rocksdb_engine.h"
#include "store/store_series_view.h"
#include "store/story_step.h"
#include "store/trend_collectable.h"
#include "store/trends.h"
#include "tests/store/fake_engine.h"
#include "tests/store/naive_recount.h"
#include "tests/store/pg_server.h"
#include "tests/store/retag_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;
using Stream = std::vector<v1::TaggedArticle>;

constexpr int kRoundsMax = 20'000;

void Append(fakes::FakeLog& bus, const v1::TaggedArticle& article) {
  base::Record record = ToRecord(article);
  record.topic = article.article().lane() == v1::LANE_BACKFILL ? base::kTaggedBackfillTopic : base::kTaggedTopic;
  record.partition = record.offset = -1;
  bus.Append(std::move(record));
}

size_t Rows(const View& view, Table table) {
  size_t n = 0;
  EXPECT_TRUE(view.Scan(table, "", "", false, [&](auto, auto) { return ++n, true; }).ok());
  return n;
}

std::map<std::string, std::string> All(const View& view, Table table) {
  std::map<std::string, std::string> out;
  EXPECT_TRUE(view.Scan(table, "", "", false, [&](auto key, auto value) { return out.emplace(key, value), true; }).ok());
  return out;
}

// Without the counts of first taggings, which belong to no generation.
NaiveCounts Counts(NaiveCounts counts) {
  std::erase_if(counts, [](const auto& entry) { return entry.first.starts_with("first/"); });
  return counts;
}

uint64_t Sum(const Offsets& offsets) {
  uint64_t sum = 0;
  for (const auto& [where, next] : offsets) sum += static_cast<uint64_t>(next);
  return sum;
}

enum class Which { kFake, kRocksDb, kPostgreSql };

class RetagTest : public testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    switch (GetParam()) {
      case Which::kFake: engine_ = std::make_unique<FakeEngine>(); return;
      case Which::kRocksDb: engine_ = RocksDbEngine::Open({.path = dir_.path(), .fsync = false}).value(); return;
      case Which::kPostgreSql: break;
    }
    const PgServer server;
    if (!server.why().empty()) GTEST_SKIP() << server.why();
    engine_ = PostgreSqlEngine::Open({.conninfo = server.conninfo(), .schema = PgServer::NewSchema()}).value();
  }
  void Publish(const Stream& stream) {
    for (const auto& article : stream) Append(bus_, article);
    published_ += stream.size();
  }
  std::unique_ptr<RetagStore> MakeStore() { return std::make_unique<RetagStore>(*engine_, bus_, clock_); }
  std::unique_ptr<Retagger> MakeRetagger(uint32_t generation) {
    return std::make_unique<Retagger>(bus_, clock_, generation, *engine_);
  }
  struct Built {
    std::unique_ptr<RetagStore> store;
    std::unique_ptr<Retagger> retagger;
    uint32_t generation = 0;
  };
  // Counts `stream` and builds a generation of it that lacks nothing but the switch.
  Built Build(const Stream& stream) {
    Publish(stream);
    Built out;
    out.store = MakeStore();
    EXPECT_TRUE(SettleStore(*out.store));
    out.generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
    out.retagger = MakeRetagger(out.generation);
    EXPECT_TRUE(Cover(*out.store, *out.retagger));
    return out;
  }
  RetagStatus Status() { return ReadRetag(*engine_).value(); }
  bool AllCounted() { return Sum(Status().counted) == published_ && Rows(*engine_, Table::kStoryQueue) == 0; }
  // Steps both until the generation being built holds everything. False: it never did.
  bool Cover(RetagStore& store, Retagger& retagger) {
    for (int i = 0; i < kRoundsMax && store.Step(); ++i) {
      retagger.Step();
      if (i % 5 == 0 && AllCounted() && Status().lag() == 0) return true;
    }
    ADD_FAILURE() << "never covered: " << ToJson(Status()) << " " << store.status.ToString();
    return false;
  }
  bool SettleStore(RetagStore& store) {
    for (int i = 0; i < kRoundsMax && store.Step(); ++i)
      if (AllCounted()) return true;
    ADD_FAILURE() << "not all counted: " << ToJson(Status()) << " " << store.status.ToString();
    return false;
  }
  bool Switch(RetagStore& store, uint32_t generation) {
    const base::Status asked = RequestSwitch(*engine_);
    EXPECT_TRUE(asked.ok()) << asked.ToString();
    for (int i = 0; i < kRoundsMax && store.Step(); ++i)
      if (Status().generations.active == generation) return true;
    ADD_FAILURE() << "not switched: " << ToJson(Status()) << " " << store.status.ToString();
    return false;
  }
  std::unique_ptr<View> Active() { return GenerationEngine(*engine_).Snapshot(); }
  // A store that has seen this stream and nothing else.
  std::unique_ptr<FakeEngine> Reference(const Stream& stream, const v1::StoreConfig& config = RetagStore::Config()) {
    fakes::FakeLog bus(bus_.partitions(std::string(base::kTaggedTopic)), &clock_);
    for (const auto& article : stream) Append(bus, article);
    auto engine = std::make_unique<FakeEngine>();
    RetagStore store(*engine, bus, clock_, "", config);
    for (int i = 0; i < kRoundsMax && store.Step(); ++i)
      if (Sum(ReadRetag(*engine)->counted) == stream.size() && Rows(*engine, Table::kStoryQueue) == 0) break;
    EXPECT_TRUE(store.status.ok()) << store.status.ToString();
    return engine;
  }

  TempDir dir_;
  std::unique_ptr<Engine> engine_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{2, &clock_};
  size_t published_ = 0;
};
INSTANTIATE_TEST_SUITE_P(All, RetagTest, testing::Values(Which::kFake, Which::kRocksDb, Which::kPostgreSql), [](const auto& which) {
  return which.param == Which::kFake ? "Fake" : which.param == Which::kRocksDb ? "RocksDb" : "PostgreSql";
});

TEST_P(RetagTest, TheNewGenerationIsThatOfAStoreThatTaggedSoFromTheStart) {
  const Stream before = OldStream(1, {.ids = 80, .records = 240}), live = OldStream(2, {.ids = 90, .records = 160});
  Publish(before);
  auto store = MakeStore();
  ASSERT_TRUE(SettleStore(*store));
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  EXPECT_EQ(generation, 1u);
  auto retagger = MakeRetagger(generation);
  // Live articles come in while the history is tagged again; both processes die and come back now and then.
  std::mt19937_64 dice(3);
  for (size_t i = 0; i < live.size(); ++i) {
    Publish({live[i]});
    ASSERT_TRUE(store->Step()) << store->status.ToString();
    if (dice() % 3 == 0) retagger->Step();
    if (dice() % 20 == 0) retagger = MakeRetagger(generation);
    if (dice() % 25 == 0) {
      store.reset();
      store = MakeStore();
    }
  }
  ASSERT_TRUE(Cover(*store, *retagger));
  Stream all = before;
  all.insert(all.end(), live.begin(), live.end());
  const auto as_old = Reference(all), as_new = Reference(AsNew(all));
  EXPECT_EQ(StateDigest(*Active()).value(), StateDigest(*as_old).value()) << "the active counts must not notice";
  EXPECT_EQ(WithoutQueries(ReadCounts(*Active())), Recount(all));

  ASSERT_TRUE(Switch(*store, generation));
  EXPECT_EQ(StateDigest(*Active()).value(), StateDigest(*as_new).value());
  EXPECT_EQ(Counts(WithoutQueries(ReadCounts(*Active()))), Counts(Recount(AsNew(all))));
  const auto of_query = [](const View& view) { return ReadRow(view, WindowKind::kAll, kAllSlice, 0)->Get(QuerySeries(0), Measure::kArticles); };
  EXPECT_EQ(of_query(*Active()), of_query(*as_new)) << "what saved queries found in the texts";
  EXPECT_GT(of_query(*as_new), 0u);
  EXPECT_EQ(ReadRow(*Active(), WindowKind::kFirst, kAllSlice, 0)->Encode(), ReadRow(*as_old, WindowKind::kFirst, kAllSlice, 0)->Encode())
      << "counters of first taggings go on, whatever is re-tagged";

  // From here on the taggers have the new model.
  const Stream later = AsNew(OldStream(4, {.ids = 100, .records = 80}));
  Publish(later);
  ASSERT_TRUE(SettleStore(*store));
  Stream everything = AsNew(all);
  everything.insert(everything.end(), later.begin(), later.end());
  EXPECT_EQ(StateDigest(*Active()).value(), StateDigest(*Reference(everything)).value());
  EXPECT_EQ(Counts(WithoutQueries(ReadCounts(*Active()))), Counts(Recount(everything)));
}

TEST_P(RetagTest, StoriesCountUnderTheNewLabelsOfTheirEarliestCopy) {
  fakes::FakeLog one(1, &clock_);
  Stream stream = OldStream(5, {.ids = 40, .records = 120});
  for (auto& article : stream) {
    article.mutable_article()->set_lane(v1::LANE_LIVE);  // one topic, so that the order is the same in both stores
    if (std::hash<std::string>()(article.article().id()) % 3 == 0)
      article.mutable_article()->set_text("Washington tightens its rules for accelerators once more, says a note that many carry in the very same "
                                          "words: licences are needed from Monday, and old ones end in the summer.");
  }
  const auto append = [](fakes::FakeLog& bus, const Stream& records) {
    for (const auto& article : records) Append(bus, article);
  };
  append(one, {stream.begin(), stream.begin() + 70});
  RetagStore store(*engine_, one, clock_);
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  Retagger retagger(one, clock_, generation, *engine_);
  for (int i = 0; i < 30 && store.Step(); ++i) retagger.Step();
  append(one, {stream.begin() + 70, stream.end()});
  published_ = stream.size();
  ASSERT_TRUE(Cover(store, retagger));
  ASSERT_TRUE(Switch(store, generation));

  fakes::FakeLog other(1, &clock_);
  append(other, AsNew(stream));
  FakeEngine expected;
  RetagStore reference(expected, other, clock_);
  for (int i = 0; i < kRoundsMax && reference.Step(); ++i)
    if (Sum(ReadRetag(expected)->counted) == stream.size() && Rows(expected, Table::kStoryQueue) == 0) break;
  EXPECT_LT(Rows(expected, Table::kStory), Rows(expected, Table::kArticle)) << "the test needs copies";
  EXPECT_EQ(All(*Active(), Table::kStory), All(expected, Table::kStory));
  auto windows = All(expected, Table::kWindow);
  std::erase_if(windows, [](const auto& entry) { return static_cast<WindowKind>(entry.first[0]) == WindowKind::kFirst; });
  EXPECT_EQ(All(*Active(), Table::kWindow), windows) << "articles, stories and publishers of every window";
  EXPECT_EQ(All(*Active(), Table::kFamily), All(expected, Table::kFamily));
  EXPECT_EQ(StoryDigest(*Active()).value(), StoryDigest(expected).value());
}

// Three articles on each of 120 days up to now; every second day carries those of the day before once more.
Stream LongStream() {
  static constexpr std::array kWords{"ministry", "wafer", "embargo", "harbour", "coach", "orchard", "lawsuit", "satellite", "tariff", "glacier", "choir", "refinery",
                                     "election", "vaccine", "railway", "drought", "museum", "startup", "senate", "festival", "reactor", "dockers", "novel", "budget"};
  Stream out;
  for (int day = 0; day < 120; ++day)
    for (int k = 0; k < 3; ++k) {
      out.push_back(MakeArticle(out.size() + 1, kTestNow - (120 - day) * kMsPerDay + k * kMsPerHour));
      v1::Article* article = out.back().mutable_article();
      article->set_publisher("p" + std::to_string((day + k) % 3) + ".example");
      std::mt19937_64 dice(static_cast<uint64_t>(day / 2 * 3 + k));
      std::string text = "It was told";
      for (int i = 0; i < 60; ++i) text.append(" ").append(kWords[dice() % kWords.size()]);
      article->set_title(text.substr(12, 40));
      article->set_text(text);
    }
  return out;
}

// Without hours, which go with their age, and first taggings.
std::map<std::string, std::string> Lasting(std::map<std::string, std::string> rows) {
  std::erase_if(rows, [](const auto& row) {
    const auto kind = static_cast<WindowKind>(row.first[0]);
    return kind == WindowKind::kHour || kind == WindowKind::kFirst;
  });
  return rows;
}

// Counts a stream of one topic and removes what it froze.
void Freeze(RetagStore& store, const Engine& engine, size_t records) {
  for (int i = 0; i < kRoundsMax && store.Step(); ++i)
    if (Sum(ReadRetag(engine)->counted) == records && Rows(engine, Table::kStoryQueue) == 0) break;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(store.Step()) << store.status.ToString();
}

// Stories, publishers and saved queries of days that are frozen before the re-tag, or while it goes on.
TEST_P(RetagTest, FrozenDaysCountAsInAStoreThatTaggedSoFromTheStart) {
  const Stream stream = LongStream();
  const auto split = stream.begin() + 310;
  fakes::FakeLog one(1, &clock_), other(1, &clock_);
  RetagStore store(*engine_, one, clock_);
  for (auto at = stream.begin(); at != split; ++at) Append(one, *at);
  Freeze(store, *engine_, 310);
  const size_t frozen_before = Rows(*engine_, Table::kStoryLead);
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  Retagger retagger(one, clock_, generation, *engine_);
  for (int i = 0; i < 30 && store.Step(); ++i) retagger.Step();
  for (auto at = split; at != stream.end(); ++at) {
    Append(one, *at);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(store.Step()) << store.status.ToString();
  }
  Freeze(store, *engine_, stream.size());
  EXPECT_GT(frozen_before, 0u);
  EXPECT_GT(Rows(*engine_, Table::kStoryLead), frozen_before);
  published_ = stream.size();
  ASSERT_TRUE(Cover(store, retagger));
  ASSERT_TRUE(Switch(store, generation));

  FakeEngine expected;
  RetagStore reference(expected, other, clock_);
  for (const auto& article : AsNew(stream)) Append(other, article);
  Freeze(reference, expected, stream.size());
  EXPECT_LT(Rows(expected, Table::kArticle), stream.size());
  EXPECT_LT(Rows(expected, Table::kStory), Rows(expected, Table::kArticle)) << "the test needs copies";
  EXPECT_EQ(Lasting(All(*Active(), Table::kWindow)), Lasting(All(expected, Table::kWindow)));
  EXPECT_EQ(Lasting(All(*Active(), Table::kFamily)), Lasting(All(expected, Table::kFamily)));

  // The next day takes what is frozen out of the new generation too, and the one after it can be built like it.
  clock_.Advance(kMsPerDay);
  v1::TaggedArticle next = AsNew({MakeArticle(1000, kTestNow + kMsPerDay - kMsPerHour)}).front();
  for (fakes::FakeLog* bus : {&one, &other}) Append(*bus, next);
  Freeze(store, *engine_, stream.size() + 1);
  Freeze(reference, expected, stream.size() + 1);
  EXPECT_EQ(StateDigest(*Active()).value(), StateDigest(expected).value());
  EXPECT_EQ(StoryDigest(*Active()).value(), StoryDigest(expected).value());
  EXPECT_EQ(All(*engine_, Table::kStoryLead), All(expected, Table::kStoryLead));
}

TEST_P(RetagTest, StoriesOfDaysThatAnOlderBuildFrozeAreAbsentAndNotZero) {
  constexpr auto kToday = static_cast<uint32_t>(kTestNow / kMsPerDay);
  Batch batch;
  batch.Put(Table::kMeta, std::string(kLeadsKey), EncodeFrozen(kToday - 1));
  ASSERT_TRUE(engine_->Commit(batch).ok());
  const auto [store, retagger, generation] = Build(OldStream(17));
  const auto trends = [&, &active = store->loop.active()](v1::Window window, const std::string& model_version) {
    v1::GetTrendsRequest request;
    v1::GetTrendsResponse response;
    request.set_window(window);
    request.set_include_zeros(true);
    request.add_series();
    SetTime(request.mutable_from(), kTestNow - 3 * kMsPerDay);
    SetTime(request.mutable_to(), kTestNow);
    request.set_model_version(model_version);
    EXPECT_TRUE(Query(active, clock_).GetTrends(request, &response).ok());
    return response.series(0);
  };
  for (const bool switched : {false, true}) {
    if (switched) {
      ASSERT_TRUE(Switch(*store, generation));
    }
    const std::string first = switched ? "m1" : "", anew = switched ? "" : kNewModel;
    EXPECT_TRUE(trends(v1::WINDOW_ALL, first).points(0).has_stories());
    EXPECT_FALSE(trends(v1::WINDOW_ALL, anew).points(0).has_stories());
    const v1::TrendSeries days = trends(v1::WINDOW_DAY, first), days_anew = trends(v1::WINDOW_DAY, anew);
    for (const auto& point : days.points()) EXPECT_TRUE(point.has_stories());
    int known = 0;
    for (const auto& point : days_anew.points()) {
      EXPECT_GT(point.articles(), 0u);
      EXPECT_EQ(point.has_stories(), point.start().seconds() / 86400 >= kToday - 1);
      known += point.has_stories();
    }
    EXPECT_EQ(known, 2);
    TrendCollectable metrics(clock_);
    metrics.Serve(&store->loop.active(), [] { return true; });
    for (const auto& family : metrics.Collect()) {
      if (family.name != "racewatch_theme_stories") continue;
      EXPECT_EQ(family.metric.empty(), switched);
    }
  }
}

TEST_P(RetagTest, SavedQueriesAreAskedOfTheWholeArchiveUnderTheNewLabels) {
  const Stream before = OldStream(18), later = OldStream(19, {.ids = 150, .records = 100});
  Publish(before);
  auto store = MakeStore();
  ASSERT_TRUE(SettleStore(*store));
  v1::StoreConfig config = RetagStore::Config();
  RetagStore::AddQuery("late", "happened lean:us", &config);
  store->loop.Reload(config);
  ASSERT_TRUE(store->Step());
  Publish(later);
  ASSERT_TRUE(SettleStore(*store));
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  auto retagger = MakeRetagger(generation);
  ASSERT_TRUE(Cover(*store, *retagger));
  // One more while it is built: the re-tagger has to ask it too.
  RetagStore::AddQuery("latest", "happened", &config);
  store->loop.Reload(config);
  ASSERT_TRUE(store->Step());
  clock_.Advance(kMsPerHour);
  Stream last{MakeArticle(501, kTestNow + 60'000), MakeArticle(502, kTestNow + 60'000)};
  last[0].mutable_article()->set_text("It happened at last.");
  Publish(last);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(store->Step());
    retagger->Step();
  }
  EXPECT_EQ(Status().lag(), last.size()) << "texts that were not asked everything are left out";
  retagger = MakeRetagger(generation);
  ASSERT_TRUE(Cover(*store, *retagger));

  Stream all = before;
  all.insert(all.end(), later.begin(), later.end());
  all.insert(all.end(), last.begin(), last.end());
  const auto of_query = [](const View& view, const std::string& number) {
    NaiveCounts counts = Counts(ReadCounts(view));
    std::erase_if(counts, [&](const auto& entry) { return entry.first.find("/query#" + number) == std::string::npos; });
    return counts;
  };
  const auto as_old = Reference(all, config), as_new = Reference(AsNew(all), config);
  for (const char* number : {"0", "1"}) EXPECT_EQ(of_query(*Active(), number), of_query(*as_old, number));
  ASSERT_TRUE(Switch(*store, generation));
  for (const char* number : {"0", "1", "2"}) {
    EXPECT_EQ(of_query(*Active(), number), of_query(*as_new, number)) << number;
    EXPECT_FALSE(of_query(*as_new, number).empty()) << number;
  }
  EXPECT_EQ(of_query(*Active(), "3").at("all/0/all/query#3"), 1) << "what came after it was configured";
  const auto since = [&](const std::string& query, const std::string& model_version) {
    v1::GetTrendsRequest request;
    v1::GetTrendsResponse response;
    request.add_series()->set_query(query);
    request.set_model_version(model_version);
    EXPECT_TRUE(Query(store->loop.active(), clock_).GetTrends(request, &response).ok());
    return response.series(0).has_counted_since();
  };
  EXPECT_TRUE(since("late", "m1"));
  EXPECT_FALSE(since("late", ""));
  EXPECT_TRUE(since("latest", ""));
}

TEST_P(RetagTest, AReaderSeesAllOldOrAllNew) {
  const auto [store, retagger, generation] = Build(OldStream(6, {.ids = 60, .records = 120}));
  const std::string before = StateDigest(*Active()).value();
  std::atomic<bool> looking = false, stop = false;
  std::vector<std::string> seen;
  std::thread reader([&] {
    const Engine& active = store->loop.active();
    for (bool last = false; !last;) {
      last = stop;
      const auto digest = StateDigest(*active.Snapshot());
      const std::string now = digest.ok() ? *digest : digest.status().ToString();
      if (seen.empty() || seen.back() != now) seen.push_back(now);
      looking = true;
    }
  });
  while (!looking) std::this_thread::yield();
  EXPECT_TRUE(Switch(*store, generation));
  const std::string after = StateDigest(*Active()).value();
  stop = true;
  reader.join();
  EXPECT_EQ(seen, (std::vector<std::string>{before, after}));
  EXPECT_NE(before, after);
}

TEST_P(RetagTest, TheFormerSeriesStayUnderTheirVersionAndTheirArticlesGo) {
  const Stream stream = OldStream(7);
  const auto [store, retagger, generation] = Build(stream);
  const NaiveCounts before = ReadCounts(*Active());
  const auto trends = [&](const std::string& model_version) {
    v1::GetTrendsRequest request;
    v1::GetTrendsResponse response;
    request.set_window(v1::WINDOW_DAY);
    SetTime(request.mutable_from(), kTestNow - 60 * kMsPerDay);
    request.set_model_version(model_version);
    const base::Status status = Query(store->loop.active(), clock_).GetTrends(request, &response);
    return status.ok() ? response.DebugString() : status.ToString();
  };
  const std::string of_old = trends(""), of_new = trends(kNewModel);
  EXPECT_NE(of_old.substr(0, 2000), of_new.substr(0, 2000));
  ASSERT_TRUE(Switch(*store, generation));
  EXPECT_EQ(trends("m1"), of_old);
  EXPECT_EQ(trends(""), of_new);
  for (int i = 0; i < 200 && Status().generations.Find(0)->state != Generation::State::kKept; ++i) ASSERT_TRUE(store->Step());
  EXPECT_EQ(Status().generations.Find(0)->state, Generation::State::kKept);
  for (const Table table : {Table::kArticle, Table::kDetail, Table::kTime, Table::kStory}) EXPECT_EQ(Rows(*engine_, table), 0u);
  EXPECT_EQ(trends("m1"), of_old) << "what is removed are articles, not counts";
  EXPECT_EQ(ReadCounts(GenerationView(*engine_, 0)), before);
  EXPECT_NE(trends("m9").find("NOT_FOUND"), std::string::npos);
  EXPECT_NE(trends("m9").find("m1, m2"), std::string::npos) << trends("m9");
}

// A tagger takes the new model before the switch, so that the latest articles of the series that are left have its labels.
TEST_P(RetagTest, TheFormerSeriesKeepTheirVersionWhenTheLatestArticlesAreOfTheNewModel) {
  const auto [store, retagger, generation] = Build(OldStream(7));
  Publish(AsNew(OldStream(8)));
  ASSERT_TRUE(Cover(*store, *retagger));
  EXPECT_EQ(Status().model_version, kNewModel);
  ASSERT_TRUE(Switch(*store, generation));
  EXPECT_EQ(Status().generations.Find(0)->model_version, "m1");
  EXPECT_EQ(Status().generations.Find(generation)->model_version, kNewModel);
}

// Theme, stance and lean of the winning revision of each id, as plainly as it reads.
std::map<std::string, std::set<std::string>> Labelled(const Stream& stream) {
  std::map<std::string, v1::TaggedArticle> winners;
  const auto rank = [](const v1::TaggedArticle& t) {
    return std::tuple(static_cast<int>(t.article().body_quality()), t.article().revision_at().seconds(), t.article().content_hash());
  };
  for (const auto& one : stream) {
    const v1::Article& a = one.article();
    if (a.has_published() && a.date_source() != v1::DATE_SOURCE_NONE &&
        a.fetched_at().seconds() / 86400 > a.published().seconds() / 86400 + 90) continue;
    const auto [at, is_new] = winners.try_emplace(a.id(), one);
    if (!is_new && rank(one) > rank(at->second)) at->second = one;
  }
  std::map<std::string, std::set<std::string>> out;
  for (const auto& [id, one] : winners) {
    auto& labels = out[id];
    if (!one.tags().relevance().label()) continue;
    labels.insert("relevant");
    for (const auto& theme : one.tags().themes()) labels.insert("theme=" + theme.id());
    for (const auto& stance : one.tags().stance()) labels.insert("target=" + stance.target() + ",position=" + stance.position());
    if (one.tags().has_lean()) labels.insert("lean=" + one.tags().lean().label());
  }
  return out;
}

TEST_P(RetagTest, TheReportIsWhatARecountSays) {
  const Stream stream = OldStream(8);
  Publish(stream);
  auto store = MakeStore();
  ASSERT_TRUE(SettleStore(*store));
  EXPECT_EQ(RetagReport(*engine_, 3).status().code(), base::Code::kFailedPrecondition);
  const auto retagger = MakeRetagger(BeginRetag(*engine_, kNewModel, kTestNow).value());
  ASSERT_TRUE(Cover(*store, *retagger));

  const auto old_labels = Labelled(stream), new_labels = Labelled(AsNew(stream));
  struct Expected {
    int before = 0, after = 0, gained = 0, lost = 0;
  };
  std::map<std::string, Expected> expected;
  size_t changed = 0;
  for (const auto& [id, before] : old_labels) {
    const auto& after = new_labels.at(id);
    changed += before != after;
    for (const auto& label : before) {
      ++expected[label].before;
      if (!after.contains(label)) ++expected[label].lost;
    }
    for (const auto& label : after) {
      ++expected[label].after;
      if (!before.contains(label)) ++expected[label].gained;
    }
  }
  const auto text = RetagReport(*engine_->Snapshot(), 3);
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  const json report = json::parse(*text);
  EXPECT_EQ(report["model_version"], kNewModel);
  EXPECT_EQ(report["replaces"], "m1");
  EXPECT_EQ(report["compared"], old_labels.size());
  EXPECT_EQ(report["changed"], changed);
  EXPECT_EQ(report["only_active"], 0);
  EXPECT_EQ(report["only_new"], 0);
  std::set<std::string> listed;
  for (const auto& one : report["series"]) {
    const std::string name = one["series"];
    listed.insert(name);
    const Expected& want = expected[name];
    EXPECT_EQ(one["before"], want.before) << name;
    EXPECT_EQ(one["after"], want.after) << name;
    EXPECT_EQ(one["gained"], want.gained) << name;
    EXPECT_EQ(one["lost"], want.lost) << name;
    EXPECT_EQ(one["examples"].size(), static_cast<size_t>(std::min(3, want.gained) + std::min(3, want.lost))) << name;
    for (const auto& example : one["examples"]) {
      const std::string id = example["article_id"];
      const bool gained = example["change"] == "gained";
      EXPECT_EQ(new_labels.at(id).contains(name), gained) << name;
      EXPECT_EQ(old_labels.at(id).contains(name), !gained) << name;
      EXPECT_FALSE(example["title"].get<std::string>().empty());
    }
  }
  for (const auto& [name, want] : expected) EXPECT_TRUE(want.gained + want.lost == 0 || listed.contains(name)) << name;
  EXPECT_FALSE(report["stance_moves"].empty());
}

TEST_P(RetagTest, WithoutATextLabelsStayAndATakedownReachesBothGenerations) {
  v1::TaggedArticle redacted = MakeArticle(1);
  redacted.mutable_article()->clear_text();
  redacted.mutable_article()->clear_title();
  redacted.mutable_article()->set_redacted(true);
  v1::TaggedArticle withdrawal;  // knows no labels, and comes in one piece with what it takes back
  withdrawal.mutable_article()->set_id(TestId(4));
  withdrawal.mutable_article()->set_redacted(true);
  SetTime(withdrawal.mutable_article()->mutable_fetched_at(), kTestNow);
  withdrawal.mutable_tags();
  const auto [store, retagger, generation] = Build({redacted, MakeArticle(2), MakeArticle(3), MakeArticle(4), withdrawal});
  ASSERT_TRUE(TakeDown(store->loop.active(), store->sink, TestId(2)).ok());
  published_ += 2;  // a record for each tagged topic
  ASSERT_TRUE(Cover(*store, *retagger));
  ASSERT_TRUE(Switch(*store, generation));
  const auto active = Active();
  const auto row = [&](uint64_t n) { return ArticleRow::Decode(*active->Get(Table::kArticle, IdBytes(*ParseArticleId(TestId(n)))).value()).value(); };
  const auto detail = [&](uint64_t n) {
    v1::TaggedArticle out;
    EXPECT_TRUE(out.ParseFromString(*active->Get(Table::kDetail, IdBytes(*ParseArticleId(TestId(n)))).value()));
    return out;
  };
  const Stream as_new = AsNew({MakeArticle(1), MakeArticle(2), MakeArticle(3), MakeArticle(4)});
  EXPECT_EQ(row(1).counted.labels, LabelsFromTags(redacted.tags()).value()) << "there was no text to tag again";
  for (const uint64_t n : {2u, 3u, 4u}) EXPECT_EQ(row(n).counted.labels, LabelsFromTags(as_new[n - 1].tags()).value());
  EXPECT_TRUE(row(2).redacted);
  EXPECT_TRUE(detail(2).article().text().empty());
  EXPECT_TRUE(detail(2).article().title().empty());
  EXPECT_TRUE(detail(4).article().redacted());
  EXPECT_EQ(detail(4).tags().SerializeAsString(), as_new[3].tags().SerializeAsString());
  EXPECT_EQ(detail(3).article().text(), MakeArticle(3).article().text());
  EXPECT_EQ(detail(3).tags().model_version(), kNewModel);
  for (const base::Record& record : bus_.Records(std::string(base::kRetagTopic))) {
    v1::TaggedArticle out;
    ASSERT_TRUE(out.ParseFromString(record.value));
    EXPECT_TRUE(out.article().text().empty() && out.article().title().empty()) << "the topic must hold no text";
    EXPECT_EQ(out.generation(), generation);
  }
}

TEST_P(RetagTest, WhatIsMissingIsNoticedAndHandedOnAgain) {
  Publish(OldStream(9));
  auto store = MakeStore();
  ASSERT_TRUE(SettleStore(*store));
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  auto retagger = MakeRetagger(generation);
  retagger->sink.FailNextDelivery(base::Unavailable("the broker said no"), 3);
  for (int i = 0; i < 50; ++i) {
    retagger->Step();
    ASSERT_TRUE(store->Step());
  }
  EXPECT_GT(Status().lag(), 0u) << "records behind the hole must not be taken for all";
  EXPECT_FALSE(retagger->loop.Step(std::chrono::milliseconds(0)).ok()) << "the re-tagger knows that something was not delivered";
  retagger = MakeRetagger(generation);
  ASSERT_TRUE(Cover(*store, *retagger));
  ASSERT_TRUE(Switch(*store, generation));
  EXPECT_EQ(StateDigest(*Active()).value(), StateDigest(*Reference(AsNew(OldStream(9)))).value());
}

// Real time that never passes.
class PatientClock final : public base::Clock {
 public:
  base::UnixMs NowMs() const override { return kTestNow; }
  std::chrono::milliseconds RealDuration(int64_t) const override { return std::chrono::hours(1); }
};

TEST_P(RetagTest, FewRecordsWaitForOthersToShareTheirTransaction) {
  PatientClock patient;
  Publish(OldStream(6, {.ids = 400, .records = 400}));
  RetagStore store(*engine_, bus_, patient);
  ASSERT_TRUE(SettleStore(store));
  const uint32_t generation = BeginRetag(*engine_, kNewModel, kTestNow).value();
  auto retagger = MakeRetagger(generation);
  EXPECT_EQ(retagger->Step(), 400u);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store.Step()) << store.status.ToString();
  EXPECT_EQ(Sum(Status().covered), 0u);
  Publish(OldStream(7, {.ids = 200, .records = 200}));
  ASSERT_TRUE(SettleStore(store));
  EXPECT_EQ(retagger->Step(), 200u);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store.Step()) << store.status.ToString();
  EXPECT_EQ(Sum(Status().covered), 500u) << "a full piece goes, the rest waits";
}

TEST_P(RetagTest, ASwitchWaitsForWhatWasCountedMeanwhileAndGivesUpWithoutIt) {
  const auto [store, retagger, generation] = Build(OldStream(10));
  const Stream late = OldStream(11, {.ids = 200, .records = 30});
  Publish(late);
  ASSERT_TRUE(SettleStore(*store));
  ASSERT_TRUE(RequestSwitch(*engine_).ok()) << "the re-tagger is behind, but near";
  Publish(OldStream(12, {.ids = 300, .records = 5}));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->Step());
  EXPECT_EQ(Status().generations.active, 0u);
  EXPECT_LT(Sum(Status().counted), published_) << "counting waits for the switch";
  // The re-tagger is gone: after a while counting goes on as before.
  for (int i = 0; i < 1'000'000 && Status().generations.switching(); ++i) ASSERT_TRUE(store->Step());
  EXPECT_EQ(Status().generations.active, 0u);
  ASSERT_TRUE(SettleStore(*store));
  ASSERT_TRUE(Cover(*store, *retagger));
  EXPECT_TRUE(Switch(*store, generation));
}

TEST_P(RetagTest, OneIsBuiltAtATimeAndACancelledOneLeavesNothing) {
  Publish(OldStream(13));
  auto store = MakeStore();
  ASSERT_TRUE(SettleStore(*store));
  const std::string before = StateDigest(*Active()).value();
  EXPECT_EQ(RequestSwitch(*engine_).code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(BeginRetag(*engine_, kNewModel, kTestNow).value(), 1u);
  EXPECT_EQ(BeginRetag(*engine_, kNewModel, kTestNow).value(), 1u) << "the same goes on";
  const auto other = BeginRetag(*engine_, "m3", kTestNow);
  EXPECT_EQ(other.status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(other.status().message().find(kNewModel), std::string::npos);
  const auto retagger = MakeRetagger(1);
  ASSERT_TRUE(Cover(*store, *retagger));
  EXPECT_GT(Rows(*engine_, Table::kGeneration), 0u);
  ASSERT_TRUE(CancelRetag(*engine_).ok());
  for (int i = 0; i < 500 && !Status().generations.all.empty(); ++i) ASSERT_TRUE(store->Step());
  EXPECT_TRUE(Status().generations.all.empty());
  EXPECT_EQ(Rows(*engine_, Table::kGeneration), 0u);
  EXPECT_EQ(StateDigest(*Active()).value(), before);
  EXPECT_EQ(BeginRetag(*engine_, kNewModel, kTestNow).value(), 2u) << "a number is not given twice";
}

TEST_P(RetagTest, AReplayOfTheFormerLabelsChangesNothingAfterTheSwitch) {
  const Stream stream = OldStream(14);
  const auto [store, retagger, generation] = Build(stream);
  ASSERT_TRUE(Switch(*store, generation));
  const std::string digest = StateDigest(*Active()).value();
  Publish(stream);  // as from a restored copy of the topic
  ASSERT_TRUE(SettleStore(*store));
  EXPECT_EQ(StateDigest(*Active()).value(), digest);
}

// Two processes over one database, of which one leads: neither counts a record past the switch under the former generation.
TEST(SharedRetagTest, BothStoresStopForTheSwitchAndGoOnInTheNewGeneration) {
  FakeEngine engine;
  engine.SetShared(true);
  fakes::ManualClock clock{kTestNow};
  fakes::FakeLog bus{4, &clock};
  RetagStore a(engine, bus, clock, "store"), b(engine, bus, clock, "store");
  Stream all;
  const auto publish = [&](const Stream& stream) {
    for (const auto& article : stream) Append(bus, article);
    all.insert(all.end(), stream.begin(), stream.end());
  };
  publish(OldStream(15, {.ids = 90, .records = 200}));
  const uint32_t generation = BeginRetag(engine, kNewModel, kTestNow).value();
  Retagger retagger(bus, clock, generation, engine);
  const Stream live = OldStream(16, {.ids = 120, .records = 300});
  size_t sent = 0;
  bool asked = false;
  for (int i = 0; i < kRoundsMax && ReadGenerations(engine)->active == 0; ++i) {
    if (sent < live.size()) publish({live[sent++]});
    ASSERT_TRUE(a.Step()) << a.status.ToString();
    ASSERT_TRUE(b.Step()) << b.status.ToString();
    retagger.Step();
    if (sent > 200 && !asked && ReadRetag(engine)->lag() <= kSwitchLagMax) asked = RequestSwitch(engine).ok();
  }
  ASSERT_EQ(ReadGenerations(engine)->active, generation);
  for (int i = 0; i < kRoundsMax && Sum(ReadRetag(engine)->counted) < all.size(); ++i) {
    ASSERT_TRUE(a.Step()) << a.status.ToString();
    ASSERT_TRUE(b.Step()) << b.status.ToString();
  }
  EXPECT_GT(a.loop.counts().received, 0u);
  EXPECT_GT(b.loop.counts().received, 0u);
  // What came after the switch was counted as its tagger had tagged it: still with the former model.
  const auto active = GenerationEngine(engine).Snapshot();
  std::set<std::string> ids;
  for (const auto& article : all) ids.insert(article.article().id());
  EXPECT_EQ(Rows(*active, Table::kArticle), Labelled(all).size()) << "no article is lost between the two generations";
  const NaiveCounts expected = Recount(all);
  const NaiveCounts counted = ReadCounts(*active);
  for (const char* name : {"all/0/all/any"}) EXPECT_EQ(counted.at(name), expected.at(name));
}

}  // namespace
}  // namespace racewatch::store
