// A `racewatch classifier` process under 500 documents a second while its model is exchanged all the time, by RPC, by SIGHUP,
// by rollbacks and by the command: no call fails, and each response is of one model, with that model's tags.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

#include "classify/classifier_client.h"
#include "classify/model/corpus.h"
#include "classify/model/model.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"
#include "tests/classify/second_model.h"
#include "tests/system/child_process.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;

const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";
constexpr int kDocumentsPerCall = 10;
constexpr std::chrono::milliseconds kCallEvery{20};  // 500 documents a second
constexpr int kCalls = 400;

class ModelExchangeSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("racewatch_exchange_" + std::to_string(getpid()));
    fs::create_directories(dir_);
    fs::copy_file(classify::DefaultModelPath(), dir_ / "first.model");
    ASSERT_TRUE(classify::TrainSecondModel((dir_ / "second.model").string(), "second").ok());
    std::ofstream(dir_ / "broken.model") << "no model";
    std::ofstream(dir_ / "classifier.txtpb") << "model: \"" << (dir_ / "first.model").string() << "\"\ncanary_model: \""
                                             << (dir_ / "second.model").string() << "\"\ncanary_percent: 20\n";
    address_ = "127.0.0.1:" + std::to_string(FreePort());
    classifier_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{kBinary, "classifier", "--config", (dir_ / "classifier.txtpb").string(), "--http", "127.0.0.1:0", "--grpc", address_},
        (dir_ / "classifier.log").string());
    stub_ = v1::ClassifierService::NewStub(classify::MakeClassifierChannel(address_));
  }
  void TearDown() override {
    if (classifier_) {
      EXPECT_EQ(classifier_->Stop(), 0);
    }
    if (!HasFailure()) fs::remove_all(dir_);
    else std::cout << "log is kept in " << dir_ << "\n";
  }

  // Batches of real texts, and what each model says of them, by its version.
  void ReadTexts() {
    std::vector<classify::LabelledDocument> texts;
    ASSERT_TRUE(classify::ReadLabelled(RACEWATCH_SOURCE_DIR "/tests/testdata/gold_more.jsonl", true, &texts).ok());
    for (const char* name : {"first.model", "second.model"}) {
      const auto model = classify::Model::Load((dir_ / name).string());
      ASSERT_TRUE(model.ok());
      classify::Scratch scratch;
      for (const classify::LabelledDocument& text : texts)
        (*model)->Classify({text.title, text.text, ""}, scratch, &expected_[(*model)->version()].emplace_back());
    }
    ASSERT_EQ(expected_.size(), 2u);
    for (const classify::LabelledDocument& text : texts) {
      v1::Document& document = documents_.emplace_back();
      document.set_title(text.title);
      document.set_text(text.text);
    }
  }

  template <typename Request, typename Response>
  grpc::Status Call(const Request& request, Response* response, grpc::Status (v1::ClassifierService::Stub::*call)(grpc::ClientContext*, const Request&, Response*)) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return (stub_.get()->*call)(&context, request, response);
  }

  // One call; its response is of one model, whose tags it holds.
  void ClassifyAndCheck(size_t at) {
    v1::ClassifyBatchRequest request;
    std::vector<size_t> which;
    for (size_t i = 0; i < kDocumentsPerCall; ++i) {
      which.push_back((at * kDocumentsPerCall + i) % documents_.size());
      *request.add_documents() = documents_[which.back()];
    }
    v1::ClassifyBatchResponse response;
    const grpc::Status status = Call(request, &response, &v1::ClassifierService::Stub::ClassifyBatch);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.results_size(), kDocumentsPerCall);
    ASSERT_TRUE(expected_.contains(response.model_version())) << response.model_version();
    ++answered_[response.model_version()];
    for (int i = 0; i < kDocumentsPerCall; ++i)
      ASSERT_EQ(response.results(i).tags().SerializeAsString(),
                expected_[response.model_version()][which[static_cast<size_t>(i)]].SerializeAsString());
  }

  // Until `stop`: every way there is to exchange the model, and those that must change nothing.
  void ExchangeModels(const std::atomic<bool>& stop) {
    const auto reload = [this](const std::string& file) {
      v1::ReloadModelRequest request;
      v1::ReloadModelResponse response;
      request.set_file(file);
      return Call(request, &response, &v1::ClassifierService::Stub::ReloadModel);
    };
    v1::RollbackModelResponse rolled_back;
    while (!stop) {
      EXPECT_TRUE(reload("second.model").ok());
      EXPECT_EQ(reload("broken.model").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      EXPECT_TRUE(Call(v1::RollbackModelRequest(), &rolled_back, &v1::ClassifierService::Stub::RollbackModel).ok());
      EXPECT_EQ(kill(classifier_->pid(), SIGHUP), 0);
      EXPECT_EQ(RunToEnd({kBinary, "model", "reload", "second.model", "--server", address_}, nullptr), 0);
      EXPECT_TRUE(reload("first.model").ok());
      EXPECT_EQ(kill(classifier_->pid(), SIGHUP), 0);
      EXPECT_EQ(RunToEnd({kBinary, "model", "rollback", "--server", address_}, nullptr), 0);
      EXPECT_TRUE(reload("first.model").ok());
      ++exchanged_;
    }
  }

  fs::path dir_;
  std::string address_;
  std::unique_ptr<ChildProcess> classifier_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
  std::vector<v1::Document> documents_;
  std::map<std::string, std::vector<v1::Tags>> expected_;
  std::map<std::string, int> answered_;
  std::atomic<int> exchanged_ = 0;
};

TEST_F(ModelExchangeSystemTest, NoCallFailsAndNoBatchIsMixedWhileModelsAreExchanged) {
  ReadTexts();
  ASSERT_FALSE(HasFailure());
  std::atomic<bool> stop = false;
  std::jthread exchanger([&] { ExchangeModels(stop); });
  auto next = std::chrono::steady_clock::now();
  for (size_t call = 0; call < kCalls && !HasFatalFailure(); ++call) {
    std::this_thread::sleep_until(next += kCallEvery);  // the pace of the load
    ClassifyAndCheck(call);
  }
  stop = true;
  exchanger.join();
  EXPECT_GT(exchanged_, 0);
  EXPECT_EQ(answered_.size(), 2u) << "both models must have answered for this to show anything";
  std::string canary;
  EXPECT_EQ(RunToEnd({kBinary, "model", "canary", "--server", address_}, &canary), 0);
  EXPECT_NE(canary.find("canary second"), std::string::npos) << canary;
  EXPECT_EQ(RunToEnd({kBinary, "model", "reload", "../first.model", "--server", address_}, nullptr), 65);
  EXPECT_EQ(RunToEnd({kBinary, "model", "reload", "--server", "127.0.0.1:1"}, nullptr), 69);
  for (const auto& [version, calls] : answered_) std::cout << "model " << version << ": " << calls << " calls\n";
  std::cout << exchanged_ << " rounds of exchanges\n";
}

}  // namespace
}  // namespace racewatch::system_test
