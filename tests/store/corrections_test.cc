// Corrections of readers: kept over every engine, through kills and into backups; gone with the text of their article.
#include "store/corrections.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/applier.h"
#include "store/backup.h"
#include "store/digest.h"
#include "store/generation_engine.h"
#include "store/postgresql_engine.h"
#include "store/rocksdb_engine.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/pg_server.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

base::Status Apply(Engine& engine, const std::vector<v1::TaggedArticle>& articles) {
  Applier applier(engine, {});
  RW_RETURN_IF_ERROR(applier.Reload());
  std::vector<base::Record> records;
  for (const auto& article : articles) records.push_back(ToRecord(article));
  Batch batch;
  RW_RETURN_IF_ERROR(applier.Apply(records, kTestNow, &batch).status());
  return engine.Commit(batch);
}

v1::TaggedArticle WithoutText(uint64_t n) {
  auto article = MakeArticle(n);
  article.mutable_article()->set_redacted(true);
  article.mutable_article()->clear_title();
  article.mutable_article()->clear_text();
  return article;
}

v1::AddCorrectionRequest Request(const std::string& article, const std::string& reader = "Ada") {
  v1::AddCorrectionRequest request;
  request.set_article(article);
  request.mutable_labels()->set_relevant(true);
  request.mutable_labels()->add_themes("markets");
  (*request.mutable_labels()->mutable_stance())["china_parity"] = "against";
  request.mutable_labels()->set_lean("neutral");
  request.set_reader(reader);
  return request;
}

std::vector<v1::Correction> All(const View& view, const std::string& article_id = "", uint32_t page_size = 2) {
  std::vector<v1::Correction> all;
  v1::ListCorrectionsRequest request;
  request.set_article_id(article_id);
  request.set_page_size(page_size);
  do {
    v1::ListCorrectionsResponse response;
    const base::Status status = ListCorrections(view, request, &response);
    EXPECT_TRUE(status.ok()) << status.ToString();
    for (const auto& correction : response.corrections()) all.push_back(correction);
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

enum class Which { kFake, kRocksDb, kPostgreSql, kFakeGeneration };

class CorrectionsTest : public testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    if (GetParam() == Which::kRocksDb) whole_ = RocksDbEngine::Open({.path = dir_.path() + "/store"}).value();
    if (GetParam() == Which::kFake || GetParam() == Which::kFakeGeneration) whole_ = std::make_unique<FakeEngine>();
    if (GetParam() == Which::kPostgreSql) {
      const PgServer server;
      if (!server.why().empty()) GTEST_SKIP() << server.why();
      whole_ = PostgreSqlEngine::Open({.conninfo = server.conninfo(), .schema = PgServer::NewSchema()}).value();
    }
    if (GetParam() == Which::kFakeGeneration) {
      Generations generations{.active = 3, .last = 3, .all = {{3, Generation::State::kActive, "m3", 1, 2}}};
      Batch batch;
      batch.Put(Table::kMeta, std::string(kGenerationsKey), generations.Encode());
      ASSERT_TRUE(whole_->Commit(batch).ok());
    }
    active_ = std::make_unique<GenerationEngine>(*whole_);
    ASSERT_TRUE(active_->Bind().ok());
    corrections_ = std::make_unique<Corrections>(*whole_, clock_);
    ASSERT_TRUE(Apply(*active_, {MakeArticle(1), MakeArticle(2)}).ok());
  }
  base::Status Add(const v1::AddCorrectionRequest& request) { return corrections_->Add(request, &response_); }

  TempDir dir_;
  fakes::ManualClock clock_{kTestNow};
  std::unique_ptr<Engine> whole_;
  std::unique_ptr<GenerationEngine> active_;
  std::unique_ptr<Corrections> corrections_;
  v1::AddCorrectionResponse response_;
};
std::string NameOf(const testing::TestParamInfo<Which>& which) {
  const std::array names{"Fake", "RocksDb", "PostgreSql", "FakeGeneration"};
  return names[static_cast<size_t>(which.param)];
}
INSTANTIATE_TEST_SUITE_P(All, CorrectionsTest, testing::Values(Which::kFake, Which::kRocksDb, Which::kPostgreSql, Which::kFakeGeneration), NameOf);

TEST_P(CorrectionsTest, KeepsWhatWasReadTheTagsOfThatMomentWhoAndWhen) {
  const std::string digest = StateDigest(*active_).value();
  auto request = Request("http://paper.example/story/1", "Ada");
  request.set_note("says nothing of chips");
  ASSERT_TRUE(Add(request).ok());
  const v1::Correction given = response_.correction();
  EXPECT_EQ(given.article_id(), TestId(1));
  EXPECT_EQ(given.title(), "Chip rules number 1");
  EXPECT_EQ(given.text(), MakeArticle(1).article().text());
  EXPECT_EQ(given.tags().model_version(), "m1");
  EXPECT_EQ(given.tags().themes(0).id(), "chips_compute");
  EXPECT_EQ(given.labels().themes(0), "markets");
  EXPECT_EQ(given.reader(), "Ada");
  EXPECT_EQ(given.note(), "says nothing of chips");
  EXPECT_EQ(given.language(), "en");
  EXPECT_EQ(given.publisher(), "paper.example");
  EXPECT_EQ(given.url(), "https://paper.example/story/1");
  EXPECT_EQ(given.at().seconds(), kTestNow / 1000);
  const auto all = All(*active_->Snapshot());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].SerializeAsString(), given.SerializeAsString());
  EXPECT_EQ(StateDigest(*active_).value(), digest) << "a correction counts nothing";
}

TEST_P(CorrectionsTest, ListsAllOrThoseOfAnArticleOldestFirstPageByPage) {
  for (int i = 0; i < 7; ++i) {
    clock_.Advance(1000);
    ASSERT_TRUE(Add(Request(TestId(1 + i % 2), "reader " + std::to_string(i))).ok());
  }
  std::string readers, of_second;
  for (const auto& one : All(*active_->Snapshot())) readers += one.reader().back();
  for (const auto& one : All(*active_->Snapshot(), TestId(2))) of_second += one.reader().back();
  EXPECT_EQ(readers, "0123456");
  EXPECT_EQ(of_second, "135");
  EXPECT_TRUE(All(*active_->Snapshot(), TestId(3)).empty());
}

TEST_P(CorrectionsTest, LosesTitleAndTextWithTheArticleAndKeepsTheLabels) {
  ASSERT_TRUE(Add(Request(TestId(1))).ok());
  ASSERT_TRUE(Add(Request(TestId(2))).ok());
  ASSERT_TRUE(Apply(*active_, {WithoutText(1)}).ok());
  const auto all = All(*active_->Snapshot());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].title() + all[0].text(), "");
  EXPECT_EQ(all[0].labels().themes(0), "markets");
  EXPECT_EQ(all[0].reader(), "Ada");
  EXPECT_EQ(all[1].title(), "Chip rules number 2") << "only that article's";
  EXPECT_EQ(Add(Request(TestId(1))).code(), base::Code::kNotFound) << "there is nothing left to read";
}

TEST_P(CorrectionsTest, ATakedownFindsThemByIdOrAddressAlsoWhenTheArticleHasGone) {
  ASSERT_TRUE(Add(Request(TestId(1))).ok());
  ASSERT_TRUE(Add(Request(TestId(2))).ok());
  Batch gone;  // as retention does
  for (const int n : {1, 2}) {
    const std::string id = IdBytes(*ParseArticleId(TestId(static_cast<uint64_t>(n))));
    gone.Delete(Table::kArticle, id);
    gone.Delete(Table::kDetail, id);
    gone.Delete(Table::kUrl, UrlKey(MakeArticle(static_cast<uint64_t>(n)).article().canonical_url()));
    gone.Delete(Table::kUrl, UrlKey(MakeArticle(static_cast<uint64_t>(n)).article().url()));
  }
  ASSERT_TRUE(active_->Commit(gone).ok());
  EXPECT_EQ(Add(Request(TestId(1))).code(), base::Code::kNotFound);
  EXPECT_EQ(corrections_->Redact("https://paper.example/story/9").value(), std::nullopt);
  EXPECT_EQ(corrections_->Redact("https://paper.example/story/1").value(), TestId(1));
  EXPECT_EQ(corrections_->Redact(TestId(2)).value(), TestId(2));
  for (const auto& one : All(*active_->Snapshot())) EXPECT_EQ(one.title() + one.text(), "");
}

TEST_P(CorrectionsTest, TravelInABackupToAnotherEngine) {
  ASSERT_TRUE(Add(Request(TestId(1))).ok());
  ASSERT_TRUE(Add(Request(TestId(2), "Grace")).ok());
  std::string copy;
  BackupWriter writer(*whole_);
  for (std::string piece = writer.Next().value(); !piece.empty(); piece = writer.Next().value()) copy += piece;
  FakeEngine restored;
  size_t at = 0;
  ASSERT_TRUE(RestoreBackup([&](size_t size, std::string* out) {
                *out = copy.substr(at, size);
                at += out->size();
                return base::Status();
              }, restored).ok());
  const auto before = All(*active_->Snapshot()), after = All(restored);
  ASSERT_EQ(after.size(), 2u);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(after[i].SerializeAsString(), before[i].SerializeAsString());
  Corrections more(restored, clock_);
  ASSERT_TRUE(more.Add(Request(TestId(1), "Alan"), &response_).ok());
  EXPECT_EQ(response_.correction().id(), "3") << "numbers go on where they were";
}

TEST_P(CorrectionsTest, AnArticleHasOnlySoManyOfThem) {
  for (size_t i = 0; i < kCorrectionsOfArticleMax; ++i) ASSERT_TRUE(Add(Request(TestId(1))).ok());
  EXPECT_EQ(Add(Request(TestId(1))).code(), base::Code::kResourceExhausted);
  EXPECT_TRUE(Add(Request(TestId(2))).ok());
}

// Stores fifty articles, then adds corrections until it is killed and says so after each.
void AddForEver(const std::function<std::unique_ptr<Engine>()>& open, int say) {
  fakes::ManualClock clock(kTestNow);
  const auto engine = open();
  std::vector<v1::TaggedArticle> articles;
  for (uint64_t n = 0; n < 50; ++n) articles.push_back(MakeArticle(n));
  if (!Apply(*engine, articles).ok()) _exit(2);
  Corrections corrections(*engine, clock);
  v1::AddCorrectionResponse response;
  for (uint64_t n = 0; corrections.Add(Request(TestId(n % 50), "reader " + std::to_string(n)), &response).ok(); ++n)
    if (write(say, ".", 1) != 1) break;
  _exit(1);
}

void KillWhileAdding(const std::function<std::unique_ptr<Engine>()>& open) {
  constexpr int kAcknowledged = 60;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) AddForEver(open, pipe_ends[1]);
  close(pipe_ends[1]);
  int acknowledged = 0;
  for (char c = 0; acknowledged < kAcknowledged && read(pipe_ends[0], &c, 1) == 1;) ++acknowledged;
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it was to add until it was killed";
  for (char c = 0; read(pipe_ends[0], &c, 1) == 1;) ++acknowledged;
  close(pipe_ends[0]);
  const auto engine = open();
  const auto all = All(*engine, "", 100);
  ASSERT_GE(all.size(), static_cast<size_t>(acknowledged));
  ASSERT_LE(all.size(), static_cast<size_t>(acknowledged) + 1) << "at most the one whose answer was not given any more";
  for (size_t n = 0; n < all.size(); ++n) {
    EXPECT_EQ(all[n].id(), std::to_string(n + 1));
    EXPECT_EQ(all[n].reader(), "reader " + std::to_string(n));
    EXPECT_EQ(all[n].article_id(), TestId(n % 50));
  }
}

TEST(CorrectionsKillTest, WhatWasAcknowledgedSurvivesOverRocksDb) {
  const TempDir dir;
  KillWhileAdding([&] { return RocksDbEngine::Open({.path = dir.path() + "/store"}).value(); });
}

TEST(CorrectionsKillTest, WhatWasAcknowledgedSurvivesOverPostgreSql) {
  const PgServer server;
  if (!server.why().empty()) GTEST_SKIP() << server.why();
  const std::string schema = PgServer::NewSchema();
  KillWhileAdding([&] { return PostgreSqlEngine::Open({.conninfo = server.conninfo(), .schema = schema}).value(); });
}

// An engine in front of another, that lets somebody in just before a commit.
class DoorEngine final : public Engine {
 public:
  explicit DoorEngine(Engine& inner) : inner_(inner) {}
  std::function<void()> before_commit;  // once

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override { return inner_.Get(table, key); }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(Table table, const std::vector<std::string_view>& keys) const override {
    return inner_.MultiGet(table, keys);
  }
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse, const Visit& visit) const override {
    return inner_.Scan(table, begin, end, reverse, visit);
  }
  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override { return inner_.TakeClaim(cluster_id, where); }
  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder, std::chrono::milliseconds time) override {
    return inner_.TakeLease(name, holder, time);
  }
  base::Status Commit(const Batch& batch) override {
    if (const auto meanwhile = std::exchange(before_commit, nullptr)) meanwhile();
    return inner_.Commit(batch);
  }
  std::unique_ptr<View> Snapshot() const override { return inner_.Snapshot(); }

 private:
  Engine& inner_;
};

TEST(CorrectionsRaceTest, ATextThatIsRemovedWhileItIsCorrectedIsNotKept) {
  FakeEngine engine;
  DoorEngine door(engine);
  fakes::ManualClock clock(kTestNow);
  ASSERT_TRUE(Apply(engine, {MakeArticle(1)}).ok());
  Corrections corrections(door, clock);
  door.before_commit = [&] { ASSERT_TRUE(Apply(engine, {WithoutText(1)}).ok()); };
  v1::AddCorrectionResponse response;
  EXPECT_EQ(corrections.Add(Request(TestId(1)), &response).code(), base::Code::kNotFound);
  EXPECT_TRUE(All(engine).empty());
}

TEST(CorrectionsRaceTest, ACorrectionThatComesWhileTheTextIsRemovedLosesItToo) {
  FakeEngine engine;
  DoorEngine door(engine);
  fakes::ManualClock clock(kTestNow);
  ASSERT_TRUE(Apply(engine, {MakeArticle(1)}).ok());
  Corrections corrections(engine, clock);
  v1::AddCorrectionResponse response;
  door.before_commit = [&] { ASSERT_TRUE(corrections.Add(Request(TestId(1)), &response).ok()); };
  EXPECT_EQ(Apply(door, {WithoutText(1)}).code(), base::Code::kAborted) << "the store decides again";
  ASSERT_TRUE(Apply(door, {WithoutText(1)}).ok());
  ASSERT_EQ(All(engine).size(), 1u);
  EXPECT_EQ(All(engine)[0].title() + All(engine)[0].text(), "");
}

TEST(CorrectionsRaceTest, TwoReadersAtOnceBothGetTheirNumber) {
  FakeEngine engine;
  DoorEngine door(engine);
  fakes::ManualClock clock(kTestNow);
  ASSERT_TRUE(Apply(engine, {MakeArticle(1)}).ok());
  Corrections one(door, clock), other(engine, clock);
  v1::AddCorrectionResponse response, meanwhile;
  door.before_commit = [&] { ASSERT_TRUE(other.Add(Request(TestId(1), "Grace"), &meanwhile).ok()); };
  ASSERT_TRUE(one.Add(Request(TestId(1), "Ada"), &response).ok());
  EXPECT_EQ(meanwhile.correction().id(), "1");
  EXPECT_EQ(response.correction().id(), "2");
  EXPECT_EQ(All(engine, TestId(1)).size(), 2u);
}

TEST(CorrectionsCheckTest, LabelsOutsideTheTaxonomyAreNamedWithThoseThatAre) {
  const auto why = [](const std::function<void(v1::Labels*)>& change) {
    v1::Labels labels = Request("").labels();
    change(&labels);
    const base::Status status = CheckLabels(labels);
    EXPECT_TRUE(status.ok() || status.code() == base::Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_EQ(why([](v1::Labels*) {}), "");
  EXPECT_NE(why([](v1::Labels* l) { l->add_themes("weather"); }).find("labels.themes: 'weather' is none; known are model_capability"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { l->add_themes("markets"); }).find("given twice"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { (*l->mutable_stance())["weather"] = "favor"; }).find("labels.stance: 'weather'"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { (*l->mutable_stance())["china_parity"] = "unsure"; }).find("known are favor, against, neutral"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { l->set_lean("unsure"); }).find("labels.lean: 'unsure'"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { l->clear_lean(); }).find("labels.lean"), std::string::npos);
  EXPECT_NE(why([](v1::Labels* l) { l->set_relevant(false); }).find("are empty when the article is not relevant"), std::string::npos);
  EXPECT_EQ(why([](v1::Labels* l) { l->Clear(); }), "");
}

TEST(CorrectionsCheckTest, AReaderIsNeededAndNamesAndNotesAreBounded) {
  FakeEngine engine;
  fakes::ManualClock clock(kTestNow);
  ASSERT_TRUE(Apply(engine, {MakeArticle(1)}).ok());
  Corrections corrections(engine, clock);
  v1::AddCorrectionResponse response;
  for (const std::string& reader : {std::string(), std::string("  "), std::string(101, 'x'), std::string("two\nlines")})
    EXPECT_EQ(corrections.Add(Request(TestId(1), reader), &response).code(), base::Code::kInvalidArgument) << reader;
  auto request = Request(TestId(1));
  request.set_note(std::string(2001, 'x'));
  EXPECT_EQ(corrections.Add(request, &response).code(), base::Code::kInvalidArgument);
  EXPECT_EQ(corrections.Add(Request(TestId(7)), &response).code(), base::Code::kNotFound);
  EXPECT_EQ(corrections.Add(Request(""), &response).code(), base::Code::kInvalidArgument);
  EXPECT_TRUE(All(engine).empty());
}

}  // namespace
}  // namespace racewatch::store
