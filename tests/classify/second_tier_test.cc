// A classifier with a second tier, which is a fake here: what it reads, what it leaves out, and that exchanges keep it.
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <future>

#include "classify/classifier_client.h"
#include "classify/classifier_service.h"
#include "classify/model/model.h"
#include "classify/model/second_tier.h"
#include "classify/served_models.h"
#include "racewatch/v1/classifier_service.pb.h"
#include "tests/classify/relevant_text.h"

namespace racewatch::classify {
namespace {

using std::chrono::milliseconds;

// Sees China ahead in every relevant text, and says that a reading takes `takes`.
class FakeTier final : public SecondTier {
 public:
  explicit FakeTier(milliseconds takes = milliseconds(0)) : takes_(takes) {}
  bool Revise(const DocumentView&, std::chrono::steady_clock::time_point until, Scores* scores) const override {
    if (scores->relevance < 0.2 || std::chrono::steady_clock::now() + takes_ > until) return false;
    scores->lean = {0, 1, 0};
    return true;
  }
  const std::string& version() const override { return version_; }

 private:
  const milliseconds takes_;
  const std::string version_ = "fake";
};

class SecondTierTest : public testing::Test {
 protected:
  void Start(std::shared_ptr<const SecondTier> tier, milliseconds budget) {
    auto loaded = ServedModels::Load({.path = DefaultModelPath(), .second_tier = std::move(tier)}, log_);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    models_ = std::move(*loaded);
    service_ = std::make_unique<ClassifierService>(ClassifierService::Options{1, 1024, budget}, *models_, registry_);
    client_ = service_->LocalClient();
  }

  v1::ClassifyBatchResponse Classify() {
    v1::ClassifyBatchRequest request;
    auto* relevant = request.add_documents();
    relevant->set_title(kTitle), relevant->set_text(kText);
    auto* other = request.add_documents();
    other->set_title("Lemon cake"), other->set_text("Whisk the eggs with sugar and fold in the flour.");
    std::promise<ClassifierClient::Reply> promise;
    client_->ClassifyBatch(std::move(request), std::chrono::seconds(60), [&](ClassifierClient::Reply reply) { promise.set_value(std::move(reply)); });
    const ClassifierClient::Reply reply = promise.get_future().get();
    EXPECT_TRUE(reply.status.ok()) << reply.status.message();
    return reply.response;
  }

  // The value of a counter of the second tier.
  int Counted(const std::string& outcome) const {
    const std::string text = prometheus::TextSerializer().Serialize(registry_.Collect());
    const std::string name = "racewatch_classifier_second_tier_documents_total{outcome=\"" + outcome + "\"} ";
    const size_t at = text.find(name);
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + name.size()));
  }

  base::Log log_{{.level = base::LogLevel::kError}};
  prometheus::Registry registry_;
  std::unique_ptr<ServedModels> models_;
  std::unique_ptr<ClassifierService> service_;
  std::unique_ptr<ClassifierClient> client_;
};

TEST_F(SecondTierTest, ReadsRelevantDocumentsAndCountsThem) {
  Start(std::make_shared<FakeTier>(), milliseconds(5000));
  const auto response = Classify();
  EXPECT_EQ(response.model_version(), "1+fake");
  EXPECT_EQ(response.results(0).tags().lean().label(), "china");
  EXPECT_EQ(response.results(0).tags().second_tier(), "fake");
  EXPECT_TRUE(response.results(1).tags().second_tier().empty());
  EXPECT_EQ(Counted("read"), 1);
  EXPECT_EQ(Counted("left_out"), 0);
}

TEST_F(SecondTierTest, ABatchOverItsBudgetKeepsTheFirstTiersLabelsAndSaysSo) {
  Start(std::make_shared<FakeTier>(milliseconds(60000)), milliseconds(50));
  const auto response = Classify();
  EXPECT_NE(response.results(0).tags().lean().label(), "china");
  EXPECT_TRUE(response.results(0).tags().second_tier().empty());
  EXPECT_EQ(response.results(0).tags().model_version(), "1+fake");
  EXPECT_EQ(Counted("read"), 0);
  EXPECT_EQ(Counted("left_out"), 1);
}

TEST_F(SecondTierTest, WithoutOneNothingIsCounted) {
  Start(nullptr, milliseconds(5000));
  EXPECT_EQ(Classify().model_version(), "1");
  EXPECT_EQ(Counted("read"), 0);
  EXPECT_EQ(Counted("left_out"), 0);
}

TEST_F(SecondTierTest, AReloadKeepsItAndServingWithoutOneTakesItOut) {
  Start(std::make_shared<FakeTier>(), milliseconds(5000));
  ASSERT_TRUE(models_->Reload().ok());
  EXPECT_EQ(Classify().model_version(), "1+fake");
  const auto without = models_->Serve(DefaultModelPath(), nullptr);
  ASSERT_TRUE(without.ok());
  EXPECT_EQ(without->previous_version, "1+fake");
  EXPECT_EQ(Classify().model_version(), "1");
  ASSERT_TRUE(models_->Reload().ok());
  EXPECT_EQ(Classify().model_version(), "1");
  ASSERT_TRUE(models_->Rollback().ok());
  EXPECT_EQ(Classify().results(0).tags().lean().label(), "china");
  ASSERT_TRUE(models_->Reload().ok());
  EXPECT_EQ(Classify().model_version(), "1+fake") << "a reload after the roll-back keeps the tier of the model gone back to";
}

TEST_F(SecondTierTest, AFileThatDoesNotLoadLeavesTheTierInService) {
  Start(std::make_shared<FakeTier>(), milliseconds(5000));
  EXPECT_FALSE(models_->Serve("/nonexistent/racewatch.model", nullptr).ok());
  ASSERT_TRUE(models_->Reload().ok());
  EXPECT_EQ(Classify().model_version(), "1+fake");
}

}  // namespace
}  // namespace racewatch::classify
