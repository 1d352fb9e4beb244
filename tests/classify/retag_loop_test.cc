#include "classify/retag_loop.h"

#include <gtest/gtest.h>

#include "base/bus/topics.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::classify {
namespace {

using base::RetagOrigin;
using std::chrono::milliseconds;

const base::TopicPartition kWhere{std::string(base::kTaggedTopic), 1};

void Tag(const DocumentView& document, Scratch&, v1::Tags* tags) {
  tags->Clear();
  tags->set_model_version("new");
  tags->set_language(std::string(document.language));
  tags->mutable_relevance()->set_label(document.text.find("chips") != std::string_view::npos);
}

base::Record Tagged(char digit, const std::string& model = "old") {
  v1::TaggedArticle message;
  message.mutable_article()->set_id(std::string(32, digit));
  message.mutable_article()->set_url("https://paper.example/x");
  message.mutable_article()->set_title("A title");
  message.mutable_article()->set_text("Rules for chips.");
  message.mutable_article()->set_author("Somebody");
  message.mutable_article()->set_language("en");
  message.mutable_tags()->set_model_version(model);
  base::Record record;
  record.topic = kWhere.topic;
  record.key = message.article().id();
  record.value = message.SerializeAsString();
  return record;
}

class RetagRecordTest : public testing::Test {
 protected:
  v1::TaggedArticle Make(const base::Record& tagged) {
    record_ = MakeRetagRecord(tagged, {3, kWhere, 5, 9}, {.generation = 3, .model_version = "new"}, Tag, scratch_, 1000, &counts_);
    v1::TaggedArticle out;
    EXPECT_TRUE(out.ParseFromString(record_.value));
    return out;
  }
  Scratch scratch_;
  RetagCounts counts_;
  base::Record record_;
};

TEST_F(RetagRecordTest, HoldsTheNewLabelsAndItsGenerationButNoText) {
  const v1::TaggedArticle out = Make(Tagged('a'));
  EXPECT_EQ(out.generation(), 3u);
  EXPECT_EQ(out.tags().model_version(), "new");
  EXPECT_TRUE(out.tags().relevance().label());
  EXPECT_EQ(out.tags().language(), "en");
  EXPECT_EQ(out.article().id(), std::string(32, 'a'));
  EXPECT_EQ(out.article().title() + out.article().text() + out.article().author(), "");
  EXPECT_EQ(record_.topic, base::kRetagTopic);
  EXPECT_EQ(record_.key, std::string(32, 'a'));
  EXPECT_EQ(base::ReadRetagOrigin(record_), (RetagOrigin{3, kWhere, 5, 9}));
  EXPECT_EQ(counts_.tagged, 1u);
}

TEST_F(RetagRecordTest, KeepsTheLabelsOfWhatTheModelHasTaggedAlreadyAndOfWhatHasNoText) {
  EXPECT_FALSE(Make(Tagged('b', "new")).tags().relevance().label()) << "not tagged twice";
  EXPECT_EQ(counts_.copied, 1u);
  base::Record redacted = Tagged('c');
  v1::TaggedArticle message;
  ASSERT_TRUE(message.ParseFromString(redacted.value));
  message.mutable_article()->set_redacted(true);
  redacted.value = message.SerializeAsString();
  EXPECT_EQ(Make(redacted).tags().model_version(), "old");
  EXPECT_EQ(counts_.kept, 1u);
}

TEST_F(RetagRecordTest, SaysOfWhatIsNoArticleOnlyThatNothingIsMissing) {
  base::Record garbage = Tagged('d');
  garbage.value = "\xff\xff";
  base::Record tombstone = Tagged('d');
  tombstone.tombstone = true;
  tombstone.value.clear();
  for (const base::Record& record : {garbage, tombstone}) {
    Make(record);
    EXPECT_TRUE(record_.value.empty());
    EXPECT_TRUE(base::ReadRetagOrigin(record_).has_value());
  }
  EXPECT_EQ(counts_.skipped, 2u);
}

TEST(RetagOriginTest, ADamagedHeaderIsNone) {
  for (const char* value : {"", "1", "1/t/0/0/1", "1/t/0/5/5/0", "1/t/0/5/4/0", "1/t/0/-1/4/0", "1//0/0/1/0", "x/t/0/0/1/0", "1/t/0/0/1/2/3", "1/t/0/0/1/-1", "1/t/0/0/1/0 "}) {
    base::Record record;
    record.headers = {{std::string(base::kRetagHeader), value}};
    EXPECT_FALSE(base::ReadRetagOrigin(record).has_value()) << value;
  }
  base::Record none;
  EXPECT_FALSE(base::ReadRetagOrigin(none).has_value());
}

class RetagLoopTest : public testing::Test {
 protected:
  void Publish(char digit, int32_t partition) {
    base::Record record = Tagged(digit);
    record.partition = partition;
    bus_.Append(std::move(record));
  }
  struct Life {
    Life(RetagLoopTest& test, std::map<base::TopicPartition, int64_t> covered)
        : sink(test.bus_), loop({1, "new", 2}, Tag, sink, test.clock_, std::move(covered)), source(test.bus_, {RetagLoop::Topics(), "", &loop}) {
      loop.SetSource(source);
    }
    fakes::FakeSink sink;
    RetagLoop loop;
    fakes::FakeSource source;
  };
  std::vector<RetagOrigin> Sent() {
    std::vector<RetagOrigin> out;
    for (const base::Record& record : bus_.Records(std::string(base::kRetagTopic))) out.push_back(*base::ReadRetagOrigin(record));
    return out;
  }
  fakes::ManualClock clock_{1'000'000};
  fakes::FakeLog bus_{2, &clock_};
  fakes::FakeSink sink_{bus_};
};

TEST_F(RetagLoopTest, HandsOnEachPartitionInOrderWithoutAGapAndFollowsItsEnd) {
  Life life(*this, {});
  for (const char digit : {'1', '2', '3'}) Publish(digit, 1);
  Publish('4', 0);
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 4u);
  Publish('5', 1);
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 1u);
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 0u);
  ASSERT_TRUE(life.sink.Flush(milliseconds(1000)).ok());
  const base::TopicPartition other{kWhere.topic, 0};
  EXPECT_EQ(Sent(), (std::vector<RetagOrigin>{{1, other, 0, 1}, {1, kWhere, 0, 1}, {1, kWhere, 1, 2}, {1, kWhere, 2, 3}, {1, kWhere, 3, 4}}));
}

TEST_F(RetagLoopTest, SendsWhatItReadTogetherOnceAllOfItIsTagged) {
  for (const char digit : {'1', '2', '3'}) Publish(digit, 1);
  std::vector<size_t> queued;
  RetagLoop loop({1, "new", 2}, [&](const DocumentView& document, Scratch& scratch, v1::Tags* tags) {
    queued.push_back(sink_.queued_bytes());
    Tag(document, scratch, tags);
  }, sink_, clock_, {});
  fakes::FakeSource source(bus_, {RetagLoop::Topics(), "", &loop});
  loop.SetSource(source);
  sink_.Cork();
  EXPECT_EQ(*loop.Step(milliseconds(0)), 3u);
  EXPECT_EQ(queued, (std::vector<size_t>{0, 0, 0})) << "a bus that writes at once would write each by itself";
  EXPECT_GT(sink_.queued_bytes(), 0u);
}

TEST_F(RetagLoopTest, BeginsWhereTheStoreIs) {
  for (const char digit : {'1', '2', '3'}) Publish(digit, 1);
  Life life(*this, {{kWhere, 2}});
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 1u);
  ASSERT_TRUE(life.sink.Flush(milliseconds(1000)).ok());
  EXPECT_EQ(Sent(), (std::vector<RetagOrigin>{{1, kWhere, 2, 3}}));
}

TEST_F(RetagLoopTest, GoesNoFurtherAfterADeliveryThatFailed) {
  Publish('1', 1);
  Life life(*this, {});
  life.sink.FailNextDelivery(base::Unavailable("no"));
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 1u);
  (void)life.sink.Flush(milliseconds(1000));
  Publish('2', 1);
  EXPECT_EQ(life.loop.Step(milliseconds(0)).status().code(), base::Code::kUnavailable);
  EXPECT_TRUE(Sent().empty());
}

TEST_F(RetagLoopTest, IsNotHeldUpByABusThatIsAwayWhenItIsToStop) {
  Publish('1', 1);
  Life life(*this, {});
  life.sink.Cork();
  life.sink.SetQueueFull(true);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(life.loop.Step(milliseconds(0), stop.get_token()).status().code(), base::Code::kCancelled);
}

TEST_F(RetagLoopTest, AsksWhatTheStoreCannotWhileTheTextIsThere) {
  Publish('1', 1);
  RetagLoop loop({1, "new", 2, [](v1::TaggedArticle* article) {
                    if (!article->article().text().empty() && article->tags().model_version() == "new") article->add_query_fingerprints(7);
                  }, 99}, Tag, sink_, clock_, {});
  fakes::FakeSource source(bus_, {RetagLoop::Topics(), "", &loop});
  loop.SetSource(source);
  EXPECT_EQ(*loop.Step(milliseconds(0)), 1u);
  ASSERT_TRUE(sink_.Flush(milliseconds(1000)).ok());
  EXPECT_EQ(Sent(), (std::vector<RetagOrigin>{{1, kWhere, 0, 1, 99}}));
  v1::TaggedArticle out;
  ASSERT_TRUE(out.ParseFromString(bus_.Records(std::string(base::kRetagTopic))[0].value));
  EXPECT_EQ(out.article().text(), "");
  ASSERT_EQ(out.query_fingerprints_size(), 1);
  EXPECT_EQ(out.query_fingerprints(0), 7u);
}

TEST_F(RetagLoopTest, TellsWhenItLastMetAnArticleOfAnotherModel) {
  Life life(*this, {});
  base::Record own = Tagged('1', "new");
  own.partition = 0;
  bus_.Append(own);
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 1u);
  EXPECT_EQ(life.loop.last_of_others(), std::chrono::steady_clock::time_point());
  Publish('2', 0);
  EXPECT_EQ(*life.loop.Step(milliseconds(0)), 1u);
  EXPECT_GT(life.loop.last_of_others(), std::chrono::steady_clock::time_point());
}

}  // namespace
}  // namespace racewatch::classify
