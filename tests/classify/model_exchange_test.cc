// Exchanging the model of a running classifier: by name, back again, and a canary beside it.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "base/config.h"
#include "base/grpc_server.h"
#include "base/log.h"
#include "classify/answer_labels.h"
#include "classify/classifier_client.h"
#include "classify/classifier_role.h"
#include "classify/classifier_service.h"
#include "classify/model/corpus.h"
#include "classify/model/model.h"
#include "classify/served_models.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"
#include "tests/classify/second_model.h"

namespace racewatch::classify {
namespace {

namespace fs = std::filesystem;

class ModelExchangeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(TrainSecondModel(SecondModel(), "second").ok());
    std::vector<LabelledDocument> texts;
    ASSERT_TRUE(ReadLabelled(RACEWATCH_SOURCE_DIR "/tests/testdata/gold.jsonl", true, &texts).ok());
    for (const LabelledDocument& text : texts) {
      v1::Document& document = *documents_.add_documents();
      document.set_id(text.id);
      document.set_title(text.title);
      document.set_text(text.text);
      if (documents_.documents_size() == static_cast<int>(kBatchDocumentsMax)) break;
    }
  }
  static void TearDownTestSuite() {
    fs::remove(SecondModel());
    documents_.Clear();
  }
  static std::string SecondModel() { return (fs::temp_directory_path() / ("racewatch_second_" + std::to_string(getpid()) + ".model")).string(); }

  ModelExchangeTest() : dir_(fs::temp_directory_path() / ("racewatch_models_" + std::to_string(getpid()))) {
    fs::create_directories(dir_);
    fs::copy_file(DefaultModelPath(), dir_ / "first.model");
    fs::copy_file(SecondModel(), dir_ / "second.model");
    std::ofstream(dir_ / "broken.model") << "RACEWMDL and then nothing of the kind";
    config_.set_model((dir_ / "first.model").string());
    config_.set_threads(2);
  }
  ~ModelExchangeTest() override {
    server_.reset();
    role_.reset();
    fs::remove_all(dir_);
  }

  void Start() {
    config_ = WithDefaults(config_);
    base::Problems problems;
    ValidateClassifierConfig(config_, &problems);
    ASSERT_TRUE(problems.empty()) << problems.lines().front();
    role_ = std::make_unique<ClassifierRole>(config_, registry_, log_);
    const base::Status loaded = role_->Load();
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    server_ = std::make_unique<base::GrpcServer>(base::GrpcServer::Options{"127.0.0.1:0"});
    server_->AddService(kClassifierServiceName, role_->service());
    ASSERT_TRUE(server_->Start().ok());
    stub_ = v1::ClassifierService::NewStub(MakeClassifierChannel("127.0.0.1:" + std::to_string(server_->port())));
  }

  template <typename Request, typename Response>
  grpc::Status Call(const Request& request, Response* response, grpc::Status (v1::ClassifierService::Stub::*call)(grpc::ClientContext*, const Request&, Response*)) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    response->Clear();
    return (stub_.get()->*call)(&context, request, response);
  }
  grpc::Status Reload(const std::string& file) {
    v1::ReloadModelRequest request;
    request.set_file(file);
    return Call(request, &reloaded_, &v1::ClassifierService::Stub::ReloadModel);
  }
  grpc::Status Rollback() { return Call(v1::RollbackModelRequest(), &rolled_back_, &v1::ClassifierService::Stub::RollbackModel); }
  v1::GetModelResponse InService() {
    v1::GetModelResponse response;
    EXPECT_TRUE(Call(v1::GetModelRequest(), &response, &v1::ClassifierService::Stub::GetModel).ok());
    return response;
  }
  v1::ClassifyBatchResponse Classify() {
    v1::ClassifyBatchResponse response;
    EXPECT_TRUE(Call(documents_, &response, &v1::ClassifierService::Stub::ClassifyBatch).ok());
    return response;
  }
  double Metric(const std::string& name, const std::map<std::string, std::string>& labels = {}) {
    for (const auto& family : registry_.Collect())
      if (family.name == name)
        for (const auto& metric : family.metric) {
          std::map<std::string, std::string> have;
          for (const auto& label : metric.label) have[label.name] = label.value;
          if (have == labels) return family.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value;
        }
    return -1;
  }

  static v1::ClassifyBatchRequest documents_;
  const fs::path dir_;
  v1::ClassifierConfig config_;
  prometheus::Registry registry_;
  base::Log log_{{.level = base::LogLevel::kError}};
  std::unique_ptr<ClassifierRole> role_;
  std::unique_ptr<base::GrpcServer> server_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
  v1::ReloadModelResponse reloaded_;
  v1::RollbackModelResponse rolled_back_;
};
v1::ClassifyBatchRequest ModelExchangeTest::documents_;

TEST_F(ModelExchangeTest, AnotherFileOfTheFolderTakesOverAndGoesBack) {
  Start();
  const std::string first = InService().model_version(), sha256 = InService().sha256();
  EXPECT_EQ(InService().previous_model_version(), "");
  EXPECT_EQ(Rollback().error_code(), grpc::StatusCode::FAILED_PRECONDITION) << "nothing to go back to";
  ASSERT_TRUE(Reload("second.model").ok());
  EXPECT_EQ(reloaded_.model_version(), "second");
  EXPECT_EQ(reloaded_.previous_model_version(), first);
  EXPECT_EQ(reloaded_.sha256(), InService().sha256());
  EXPECT_EQ(Classify().model_version(), "second");
  ASSERT_TRUE(Rollback().ok());
  EXPECT_EQ(rolled_back_.model_version(), first);
  EXPECT_EQ(rolled_back_.previous_model_version(), "second");
  EXPECT_EQ(InService().sha256(), sha256);
  EXPECT_EQ(Classify().model_version(), first);
  ASSERT_TRUE(Rollback().ok());
  EXPECT_EQ(InService().model_version(), "second") << "a rollback is a change, so another one undoes it";
}

TEST_F(ModelExchangeTest, ANameThatLeadsOutOfTheFolderIsRefused) {
  Start();
  for (const std::string& name : {std::string("../first.model"), std::string("sub/second.model"), std::string("/etc/passwd"), std::string(".."),
                                  std::string("."), std::string("second..model"), std::string("second.model\0x", 14)})
    EXPECT_EQ(Reload(name).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
  EXPECT_NE(InService().model_version(), "second");
}

TEST_F(ModelExchangeTest, ABrokenFileLeavesTheOldModelInServiceAndSaysWhy) {
  Start();
  const std::string first = InService().sha256();
  for (const auto& [name, why] : std::map<std::string, std::string>{{"broken.model", "truncated"}, {"absent.model", "No such file"}}) {
    const grpc::Status status = Reload(name);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_NE(status.error_message().find(why), std::string::npos) << status.error_message();
    EXPECT_EQ(InService().sha256(), first);
  }
  EXPECT_EQ(Rollback().error_code(), grpc::StatusCode::FAILED_PRECONDITION) << "what did not load was never in service";
}

TEST_F(ModelExchangeTest, TheSameBytesAgainAreNoChangeAndOtherBytesUnderTheNameAre) {
  Start();
  const std::string first = InService().model_version();
  ASSERT_TRUE(Reload("").ok());
  ASSERT_TRUE(role_->Reload().ok());
  EXPECT_EQ(InService().previous_model_version(), "");
  fs::copy_file(SecondModel(), dir_ / "new");
  fs::rename(dir_ / "new", dir_ / "first.model");
  ASSERT_TRUE(role_->Reload().ok());
  EXPECT_EQ(InService().model_version(), "second");
  ASSERT_TRUE(Rollback().ok());
  EXPECT_EQ(InService().model_version(), first) << "the former model is kept though its file is gone";
}

TEST_F(ModelExchangeTest, ACanaryReadsItsShareAndIsComparedButNeverGiven) {
  config_.set_canary_model((dir_ / "second.model").string());
  config_.set_canary_percent(30);
  Start();
  // What both models say, by hand.
  const auto canary = Model::Load(SecondModel());
  ASSERT_TRUE(canary.ok());
  Scratch scratch;
  v1::Tags tags;
  const v1::ClassifyBatchResponse given = Classify();
  std::map<std::string, Comparison::Counts> expected;
  for (int i = 0; i < documents_.documents_size(); ++i) {
    const v1::Document& document = documents_.documents(i);
    EXPECT_NE(given.results(i).tags().model_version(), "second");
    (*canary)->Classify({document.title(), document.text(), ""}, scratch, &tags);
    const AnswerLabels one = LabelsOf(given.results(i).tags()), other = LabelsOf(tags);
    for (size_t l = 0; l < kAnswerLabels; ++l) {
      Comparison::Counts& counts = expected[AnswerLabelNames()[l]];
      counts.both += one[l] && other[l];
      counts.only_active += one[l] && !other[l];
      counts.only_canary += !one[l] && other[l];
    }
  }
  for (int i = 1; i < 20; ++i) EXPECT_EQ(Classify().model_version(), given.model_version());
  ASSERT_TRUE(role_->Stop(std::chrono::seconds(60)).ok());  // what the canary still reads is in hand
  const v1::CanaryStatus status = InService().canary();
  EXPECT_EQ(status.model_version(), "second");
  EXPECT_EQ(status.percent(), 30);
  constexpr uint64_t kSampled = 6;  // of 20 calls
  const auto documents = static_cast<uint64_t>(documents_.documents_size());
  EXPECT_EQ(status.documents(), kSampled * documents);
  EXPECT_EQ(Metric("racewatch_canary_documents_total"), static_cast<double>(kSampled * documents));
  uint64_t differences = 0;
  for (const v1::CanaryDifference& difference : status.differences()) {
    const Comparison::Counts& counts = expected[difference.label()];
    EXPECT_EQ(difference.both(), kSampled * counts.both) << difference.label();
    EXPECT_EQ(difference.only_active(), kSampled * counts.only_active) << difference.label();
    EXPECT_EQ(difference.only_canary(), kSampled * counts.only_canary) << difference.label();
    EXPECT_EQ(Metric("racewatch_canary_differences_total", {{"label", difference.label()}, {"only", "active"}}), static_cast<double>(difference.only_active()));
    EXPECT_EQ(Metric("racewatch_canary_differences_total", {{"label", difference.label()}, {"only", "canary"}}), static_cast<double>(difference.only_canary()));
    differences += difference.only_active() + difference.only_canary();
  }
  EXPECT_GT(differences, 0u) << "the two models must differ for this to show anything";
  EXPECT_EQ(Metric("racewatch_stage_sent_total", {{"stage", "classifier"}}), 20.0 * static_cast<double>(documents)) << "the canary's are not counted";
}

TEST_F(ModelExchangeTest, ALocalClientsCallsAreReadByTheCanaryToo) {
  config_.set_canary_model((dir_ / "second.model").string());
  config_.set_canary_percent(100);
  Start();
  {
    const auto local = role_->LocalClient();
    std::promise<void> done;
    local->ClassifyBatch(documents_, std::chrono::seconds(60), [&done](const ClassifierClient::Reply& reply) {
      EXPECT_TRUE(reply.status.ok());
      EXPECT_NE(reply.response.model_version(), "second");
      done.set_value();
    });
    done.get_future().wait();
  }
  ASSERT_TRUE(role_->Stop(std::chrono::seconds(60)).ok());
  EXPECT_EQ(InService().canary().documents(), static_cast<uint64_t>(documents_.documents_size()));
}

TEST_F(ModelExchangeTest, AComparisonBeginsAnewWithAnotherModel) {
  config_.set_canary_model((dir_ / "second.model").string());
  config_.set_canary_percent(100);
  Start();
  (void)Classify();
  ASSERT_TRUE(Reload("second.model").ok());
  EXPECT_EQ(InService().canary().documents(), 0u) << "what was compared with the former model says nothing of this one";
  (void)Classify();
  ASSERT_TRUE(role_->Stop(std::chrono::seconds(60)).ok());
  const v1::CanaryStatus status = InService().canary();
  EXPECT_GT(status.documents(), 0u);
  for (const v1::CanaryDifference& difference : status.differences())
    EXPECT_EQ(difference.only_active() + difference.only_canary(), 0u) << "a model beside itself differs nowhere";
}

TEST_F(ModelExchangeTest, SharesOfLabelsStandBesideThoseOfTraining) {
  config_.set_model((dir_ / "second.model").string());
  Start();
  const auto model = Model::Load(SecondModel());
  ASSERT_TRUE(model.ok());
  ASSERT_FALSE((*model)->rates().empty());
  std::map<std::string, double> given;
  double relevant = 0, difference = 0;
  const v1::ClassifyBatchResponse response = Classify();
  for (const auto& result : response.results()) {
    const AnswerLabels labels = LabelsOf(result.tags());
    relevant += labels[0];
    for (size_t l = 0; l < kAnswerLabels; ++l) given[AnswerLabelNames()[l]] += labels[l];
  }
  ASSERT_GT(relevant, 0);
  for (const LabelRates& rates : (*model)->rates()) {
    EXPECT_NEAR(Metric("racewatch_classifier_label_share", {{"label", rates.label}}), given[rates.label] / relevant, 1e-9) << rates.label;
    EXPECT_EQ(Metric("racewatch_classifier_label_share_trained", {{"label", rates.label}}), rates.given) << rates.label;
    difference += std::fabs(given[rates.label] / relevant - rates.given);
  }
  EXPECT_NEAR(Metric("racewatch_classifier_drift"), difference / static_cast<double>((*model)->rates().size()), 1e-9);
  (void)Classify();
  EXPECT_NEAR(Metric("racewatch_classifier_drift"), difference / static_cast<double>((*model)->rates().size()), 1e-9) << "the same texts again";
}

TEST_F(ModelExchangeTest, ACanaryOfAMissingFileOrAWrongShareIsRefusedAtTheStart) {
  v1::ClassifierConfig config = config_;
  config.set_canary_percent(5);
  base::Problems needs_model;
  ValidateClassifierConfig(WithDefaults(config), &needs_model);
  EXPECT_EQ(needs_model.lines(), std::vector<std::string>{"canary_percent: needs canary_model"});
  config.set_canary_model("absent.model");
  config.set_canary_percent(101);
  base::Problems range;
  ValidateClassifierConfig(WithDefaults(config), &range);
  ASSERT_EQ(range.lines().size(), 1u);
  EXPECT_NE(range.lines()[0].find("canary_percent"), std::string::npos);
  config.set_canary_percent(0);
  EXPECT_EQ(WithDefaults(config).canary_percent(), 5);
  ClassifierRole role(WithDefaults(config), registry_, log_);
  const base::Status loaded = role.Load();
  EXPECT_EQ(loaded.code(), base::Code::kNotFound);
  EXPECT_NE(loaded.message().find("canary: load model absent.model"), std::string::npos) << loaded.message();
}

}  // namespace
}  // namespace racewatch::classify
