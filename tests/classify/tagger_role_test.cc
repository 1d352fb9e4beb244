#include "classify/tagger_role.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "base/bus/topics.h"
#include "base/config.h"
#include "classify/classifier_client.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::classify {
namespace {

using std::chrono::milliseconds;

// Answers as told, on the caller's thread. The default answer tags every document.
class FakeClient final : public ClassifierClient {
 public:
  using Answer = std::function<Reply(const v1::ClassifyBatchRequest&)>;

  void ClassifyBatch(v1::ClassifyBatchRequest request, milliseconds, Callback callback) override {
    Answer answer;
    {
      const std::scoped_lock lock(mutex_);
      batches_.push_back(request.documents_size());
      answer = answer_;
    }
    callback(answer ? answer(request) : TagAll(request));
  }

  void SetAnswer(Answer answer) {
    const std::scoped_lock lock(mutex_);
    answer_ = std::move(answer);
  }
  std::vector<int> batches() const {
    const std::scoped_lock lock(mutex_);
    return batches_;
  }

  static Reply TagAll(const v1::ClassifyBatchRequest& request) {
    Reply reply;
    for (const auto& document : request.documents()) {
      auto* result = reply.response.add_results();
      result->set_id(document.id());
      result->mutable_tags()->set_model_version("test");
    }
    return reply;
  }
  static Reply Fail(base::Code code, bool was_connected) {
    Reply reply;
    reply.status = base::Status(code, "told to");
    reply.was_connected = was_connected;
    return reply;
  }

 private:
  mutable std::mutex mutex_;
  Answer answer_;
  std::vector<int> batches_;
};

std::string Id(int n) {
  char id[33];
  std::snprintf(id, sizeof id, "%032x", n);
  return id;
}

class TaggerRoleTest : public testing::Test {
 protected:
  void Publish(int n, std::string_view topic = base::kArticlesTopic) {
    v1::Article article;
    article.set_id(Id(n));
    article.set_title("title " + std::to_string(n));
    article.set_text("text");
    base::Record record;
    record.topic = topic;
    record.key = article.id();
    article.SerializeToString(&record.value);
    log_.Append(std::move(record));
  }

  void Start(v1::TaggerConfig config = {}) {
    tagger_ = std::make_unique<TaggerRole>(WithDefaults(std::move(config)), client_, sink_, clock_, registry_, out_);
    base::SourceOptions options;
    options.topics = {std::string(base::kArticlesTopic), std::string(base::kBackfillTopic)};
    options.group = "tagger";
    options.listener = tagger_.get();
    source_ = std::make_unique<fakes::FakeSource>(log_, options);
    tagger_->SetSource(*source_, options.group);
    ASSERT_TRUE(tagger_->Start().ok());
  }

  // The source goes before its listener, so the tagger stops first.
  void TearDown() override {
    sink_.Uncork();
    if (tagger_) {
      EXPECT_TRUE(tagger_->Stop(milliseconds(5000)).ok());
    }
  }

  // Until the condition holds; the ctest timeout is the limit.
  static void Await(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  std::multiset<std::string> Ids(std::string_view topic) const {
    std::multiset<std::string> ids;
    for (const auto& record : log_.Records(std::string(topic))) ids.insert(record.key);
    return ids;
  }
  int64_t CommittedSum() const {
    int64_t sum = 0;
    for (int32_t p = 0; p < log_.partitions(std::string(base::kArticlesTopic)); ++p)
      sum += std::max<int64_t>(0, log_.Committed("tagger", {std::string(base::kArticlesTopic), p}));
    return sum;
  }

  fakes::ManualClock clock_;
  fakes::FakeLog log_{2, &clock_};
  fakes::FakeSink sink_{log_};
  FakeClient client_;
  prometheus::Registry registry_;
  base::Log out_{{false, base::LogLevel::kError, "test"}};
  std::unique_ptr<TaggerRole> tagger_;
  std::unique_ptr<fakes::FakeSource> source_;
};

TEST_F(TaggerRoleTest, TagsEveryArticleOnceAndCommitsBehindDelivery) {
  for (int n = 0; n < 100; ++n) Publish(n);
  Start();
  Await([&] { return Ids(base::kTaggedTopic).size() == 100 && CommittedSum() == 100; });
  ASSERT_TRUE(tagger_->Stop(milliseconds(5000)).ok());
  const auto ids = Ids(base::kTaggedTopic);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 100u);
  v1::TaggedArticle tagged;
  ASSERT_TRUE(tagged.ParseFromString(log_.Records(std::string(base::kTaggedTopic)).front().value));
  EXPECT_EQ(tagged.tags().model_version(), "test");
  EXPECT_EQ(tagged.tagged_at().seconds(), clock_.NowMs() / 1000);
}

TEST_F(TaggerRoleTest, ShowsHowFarItIsBehindAndWhatWaitsForItsDelivery) {
  const auto gauges = [this](const std::string& name) {
    std::vector<double> values;
    for (const auto& family : registry_.Collect())
      for (const auto& metric : family.metric)
        if (family.name == name) values.push_back(metric.gauge.value);
    return values;
  };
  sink_.Cork();
  for (int n = 0; n < 10; ++n) Publish(n);
  Start();
  Await([&] {
    const auto bytes = gauges("racewatch_sink_queue_bytes");
    return bytes.size() == 1 && bytes[0] > 0;
  });
  sink_.Uncork();
  Await([&] { return gauges("racewatch_sink_queue_bytes") == std::vector<double>{0}; });
  Await([&] {
    const auto behind = gauges("racewatch_lag_messages");
    return behind.size() == 4 && std::count(behind.begin(), behind.end(), 0) == 4;  // two topics of two partitions
  });
}

TEST_F(TaggerRoleTest, KeepsBackfillInItsLane) {
  Publish(1);
  Publish(2, base::kBackfillTopic);
  Start();
  Await([&] { return Ids(base::kTaggedTopic).size() == 1 && Ids(base::kTaggedBackfillTopic).size() == 1; });
  EXPECT_EQ(*Ids(base::kTaggedBackfillTopic).begin(), Id(2));
}

TEST_F(TaggerRoleTest, BackfillTakesItsShareAndLeavesRoomForLiveArticles) {
  constexpr int kHistory = 3000;
  std::mutex mutex;
  std::set<std::string> asked;
  client_.SetAnswer([&](const v1::ClassifyBatchRequest& request) {
    const std::scoped_lock lock(mutex);
    for (const auto& document : request.documents()) asked.insert(document.id());
    return FakeClient::TagAll(request);
  });
  const auto count = [&] {
    const std::scoped_lock lock(mutex);
    return asked.size();
  };
  sink_.Cork();  // nothing is finished
  for (int n = 0; n < kHistory; ++n) Publish(n, base::kBackfillTopic);
  Start();
  Await([&] { return count() >= kInHandRecordsMax / 4; });
  Publish(kHistory);
  Await([&] {
    const std::scoped_lock lock(mutex);
    return asked.contains(Id(kHistory));
  });
  EXPECT_LE(count(), kInHandRecordsMax / 4 + 500 + 1) << "a share, and at most one poll more";
  sink_.Uncork();
  Await([&] { return Ids(base::kTaggedBackfillTopic).size() == kHistory; });
}

TEST_F(TaggerRoleTest, AWithdrawnArticleIsHandedOnWithoutAskingTheClassifier) {
  v1::Article article;
  article.set_id(Id(7));
  article.set_redacted(true);
  article.set_withdrawn(true);
  base::Record record;
  record.topic = base::kArticlesTopic;
  record.key = article.id();
  record.headers = {{"withdrawn", "1"}};
  article.SerializeToString(&record.value);
  log_.Append(std::move(record));
  Start();
  Await([&] { return Ids(base::kTaggedTopic).size() == 1 && tagger_->Idle(); });
  const base::Record tagged = log_.Records(std::string(base::kTaggedTopic)).front();
  EXPECT_NE(tagged.FindHeader("withdrawn"), nullptr);
  v1::TaggedArticle message;
  ASSERT_TRUE(message.ParseFromString(tagged.value));
  EXPECT_TRUE(message.has_tags());
  EXPECT_TRUE(client_.batches().empty());
}

TEST_F(TaggerRoleTest, CommitsNothingThatIsNotDelivered) {
  sink_.Cork();
  for (int n = 0; n < 10; ++n) Publish(n);
  Start();
  Await([&] { return sink_.queued_bytes() > 0 && !client_.batches().empty(); });
  EXPECT_EQ(CommittedSum(), 0);
  EXPECT_FALSE(tagger_->Idle());
  sink_.Uncork();
  Await([&] { return CommittedSum() == 10; });
  Await([&] { return tagger_->Idle(); });
}

TEST_F(TaggerRoleTest, WaitsForAClassifierThatIsAwayAndLosesNothing) {
  std::atomic<int> calls = 0;
  client_.SetAnswer([&](const v1::ClassifyBatchRequest& request) {
    return ++calls <= 4 ? FakeClient::Fail(base::Code::kUnavailable, false) : FakeClient::TagAll(request);
  });
  v1::TaggerConfig config;
  config.set_attempts_max(1);  // being away is no attempt
  for (int n = 0; n < 3; ++n) Publish(n);
  Start(config);
  Await([&] { return Ids(base::kTaggedTopic).size() == 3; });
  EXPECT_TRUE(Ids(base::kDeadLetterTopic).empty());
  EXPECT_EQ(tagger_->NotReady(), "");
}

TEST_F(TaggerRoleTest, FindsTheOneDocumentThatKillsTheClassifier) {
  client_.SetAnswer([](const v1::ClassifyBatchRequest& request) {
    for (const auto& document : request.documents())
      if (document.id() == Id(7)) return FakeClient::Fail(base::Code::kUnavailable, true);
    return FakeClient::TagAll(request);
  });
  v1::TaggerConfig config;
  config.set_attempts_max(2);
  for (int n = 0; n < 20; ++n) Publish(n);
  Start(config);
  Await([&] { return Ids(base::kTaggedTopic).size() == 19 && Ids(base::kDeadLetterTopic).size() == 1; });
  const auto letter = log_.Records(std::string(base::kDeadLetterTopic)).front();
  EXPECT_EQ(letter.key, Id(7));
  EXPECT_EQ(*letter.FindHeader("dlq.reason"), "classify_failed");
  EXPECT_EQ(*letter.FindHeader("dlq.attempts"), "2");
  EXPECT_EQ(*letter.FindHeader("dlq.topic"), base::kArticlesTopic);
  Await([&] { return CommittedSum() == 20; });
}

TEST_F(TaggerRoleTest, BuriesADocumentTheClassifierRefusesByItself) {
  client_.SetAnswer([](const v1::ClassifyBatchRequest& request) {
    auto reply = FakeClient::TagAll(request);
    for (auto& result : *reply.response.mutable_results())
      if (result.id() == Id(3)) {
        result.set_code(static_cast<int>(base::Code::kInvalidArgument));
        result.set_error("document without title and text");
      }
    return reply;
  });
  for (int n = 0; n < 5; ++n) Publish(n);
  Start();
  Await([&] { return Ids(base::kTaggedTopic).size() == 4 && Ids(base::kDeadLetterTopic).size() == 1; });
  EXPECT_EQ(*log_.Records(std::string(base::kDeadLetterTopic)).front().FindHeader("dlq.detail"),
            "document without title and text");
}

TEST_F(TaggerRoleTest, BuriesBytesThatAreNoArticleAndGoesOn) {
  base::Record junk;
  junk.topic = base::kArticlesTopic;
  junk.key = "junk";
  junk.value = "\xff\xff\xff not protobuf";
  log_.Append(junk);
  Publish(1);
  Start();
  Await([&] { return Ids(base::kTaggedTopic).size() == 1 && Ids(base::kDeadLetterTopic).size() == 1; });
  const auto letter = log_.Records(std::string(base::kDeadLetterTopic)).front();
  EXPECT_EQ(letter.value, junk.value);
  EXPECT_EQ(*letter.FindHeader("dlq.reason"), "undecodable");
  EXPECT_EQ(*letter.FindHeader("dlq.stage"), "tagger");
}

TEST_F(TaggerRoleTest, SendsAgainWhatTheBusRefusedOrLost) {
  sink_.FailNextDelivery(base::Unavailable("broker gone"), 5);
  sink_.SetQueueFull(true);
  for (int n = 0; n < 10; ++n) Publish(n);
  Start();
  Await([&] { return !client_.batches().empty(); });
  sink_.SetQueueFull(false);
  Await([&] { return CommittedSum() == 10; });
  const auto ids = Ids(base::kTaggedTopic);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 10u);
}

TEST_F(TaggerRoleTest, StaysWithinTheBatchLimits) {
  v1::TaggerConfig config;
  config.set_batch_documents_max(8);
  for (int n = 0; n < 50; ++n) Publish(n);
  Start(config);
  Await([&] { return Ids(base::kTaggedTopic).size() == 50; });
  for (const int documents : client_.batches()) EXPECT_LE(documents, 8);
}

TEST_F(TaggerRoleTest, ForgetsAPartitionThatWasLost) {
  sink_.Cork();
  for (int n = 0; n < 20; ++n) Publish(n);
  Start();
  Await([&] { return sink_.queued_bytes() > 0; });
  const base::TopicPartition lost{std::string(base::kArticlesTopic), 0};
  source_->TakeAway({lost}, true);
  Publish(1000);  // wakes the poll
  Await([&] { return source_->assignment().size() == 3; });
  sink_.Uncork();
  Await([&] { return log_.Committed("tagger", {std::string(base::kArticlesTopic), 1}) > 0; });
  EXPECT_EQ(log_.Committed("tagger", lost), -1);
}

TEST_F(TaggerRoleTest, EndsTheProcessWhenAnotherInstanceTookItsPlace) {
  Publish(1);
  Start();
  Await([&] { return CommittedSum() == 1; });
  ASSERT_TRUE(tagger_->Stop(milliseconds(1000)).ok());
  std::atomic<bool> fatal = false;
  tagger_->OnFatal([&](const base::Status& status) {
    EXPECT_EQ(status.code(), base::Code::kFailedPrecondition);
    fatal = true;
  });
  source_->Fence();
  ASSERT_TRUE(tagger_->Start().ok());
  Await([&] { return fatal.load(); });
}

TEST(TaggerConfig, ReportsEveryMistakeAtOnce) {
  v1::TaggerConfig config = WithDefaults({});
  config.set_batch_documents_max(65);
  config.mutable_http()->set_listen("nowhere");
  base::Problems problems;
  ValidateTaggerConfig(config, &problems);
  ASSERT_EQ(problems.lines().size(), 2u);
  EXPECT_EQ(problems.lines()[0], "http.listen: 'nowhere' is not HOST:PORT with a port from 0 to 65535");
  EXPECT_EQ(problems.lines()[1], "batch_documents_max: 65 is outside 1 to 64");
}

}  // namespace
}  // namespace racewatch::classify
