#include "classify/classifier_service.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/grpc_server.h"
#include "classify/classifier_client.h"
#include "classify/model/model.h"
#include "classify/served_models.h"
#include "racewatch/v1/classifier_service.grpc.pb.h"
#include "tests/classify/relevant_text.h"

namespace racewatch::classify {
namespace {

using std::chrono::milliseconds;

class ClassifierServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = ServedModels::Load({.path = DefaultModelPath()}, log_);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    models_ = std::move(*loaded);
    model_ = models_->Now().model;
  }

  void Start(ClassifierService::Options options) {
    service_ = std::make_unique<ClassifierService>(options, *models_, registry_);
    server_ = std::make_unique<base::GrpcServer>(base::GrpcServer::Options{"127.0.0.1:0"});
    server_->AddService(kClassifierServiceName, service_->service());
    ASSERT_TRUE(server_->Start().ok());
    channel_ = MakeClassifierChannel("127.0.0.1:" + std::to_string(server_->port()));
    stub_ = v1::ClassifierService::NewStub(channel_);
  }

  grpc::Status Classify(const v1::ClassifyBatchRequest& request, v1::ClassifyBatchResponse* response) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return stub_->ClassifyBatch(&context, request, response);
  }

  static v1::ClassifyBatchRequest Batch(int documents) {
    v1::ClassifyBatchRequest request;
    for (int i = 0; i < documents; ++i) {
      auto* document = request.add_documents();
      document->set_id(std::to_string(i));
      document->set_title(kTitle);
      document->set_text(kText);
    }
    return request;
  }

  base::Log log_{{.level = base::LogLevel::kError}};
  std::unique_ptr<ServedModels> models_;
  std::shared_ptr<const Model> model_;
  prometheus::Registry registry_;
  std::unique_ptr<ClassifierService> service_;
  std::unique_ptr<base::GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
};

TEST_F(ClassifierServiceTest, TagsABatchInOrderWithTheModelInProcess) {
  Start({2, 1024});
  v1::ClassifyBatchResponse response;
  ASSERT_TRUE(Classify(Batch(64), &response).ok());
  ASSERT_EQ(response.results_size(), 64);
  Scratch scratch;
  v1::Tags expected;
  model_->Classify({kTitle, kText, ""}, scratch, &expected);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(response.results(i).id(), std::to_string(i));
    EXPECT_EQ(response.results(i).tags().SerializeAsString(), expected.SerializeAsString());
  }
  EXPECT_TRUE(expected.relevance().label());
}

TEST_F(ClassifierServiceTest, RefusesABatchOverTheLimits) {
  Start({1, 1024});
  v1::ClassifyBatchResponse response;
  EXPECT_EQ(Classify(Batch(65), &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::ClassifyBatchRequest large;
  large.add_documents()->set_text(std::string((1 << 20) + 1, 'a'));
  EXPECT_EQ(Classify(large, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ClassifierServiceTest, ReportsOneBadDocumentAndTagsTheOthers) {
  Start({1, 1024});
  auto request = Batch(3);
  request.mutable_documents(1)->clear_title();
  request.mutable_documents(1)->clear_text();
  v1::ClassifyBatchResponse response;
  ASSERT_TRUE(Classify(request, &response).ok());
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(response.results(1).error(), "document without title and text");
  EXPECT_TRUE(response.results(2).has_tags());
}

TEST_F(ClassifierServiceTest, ShedsWhatDoesNotFitTheQueueWithAPushback) {
  Start({1, 64});
  const auto client = MakeGrpcClassifierClient(channel_);
  std::mutex mutex;
  std::condition_variable changed;
  int answered = 0;
  int shed = 0;
  constexpr int kCalls = 200;
  for (int i = 0; i < kCalls; ++i)
    client->ClassifyBatch(Batch(64), std::chrono::seconds(60), [&](ClassifierClient::Reply reply) {
      const std::scoped_lock lock(mutex);
      ++answered;
      if (reply.status.code() == base::Code::kResourceExhausted) {
        ++shed;
        EXPECT_EQ(reply.pushback, milliseconds(200));
      } else {
        EXPECT_TRUE(reply.status.ok()) << reply.status.message();
      }
      changed.notify_all();
    });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answered == kCalls; });
  EXPECT_GT(shed, 0);
  EXPECT_LT(shed, kCalls);
}

TEST_F(ClassifierServiceTest, AnswersALocalClientAsOverGrpc) {
  Start({1, 1024});
  const auto local = service_->LocalClient();
  const auto ask = [&local](v1::ClassifyBatchRequest request, milliseconds deadline = std::chrono::seconds(60)) {
    std::promise<ClassifierClient::Reply> answer;
    local->ClassifyBatch(std::move(request), deadline, [&answer](ClassifierClient::Reply reply) { answer.set_value(std::move(reply)); });
    return answer.get_future().get();
  };
  auto request = Batch(3);
  request.mutable_documents(1)->clear_title();
  request.mutable_documents(1)->clear_text();
  v1::ClassifyBatchResponse over_grpc;
  ASSERT_TRUE(Classify(request, &over_grpc).ok());
  const auto reply = ask(request);
  ASSERT_TRUE(reply.status.ok()) << reply.status.message();
  EXPECT_EQ(reply.response.SerializeAsString(), over_grpc.SerializeAsString());
  EXPECT_TRUE(reply.was_connected);
  EXPECT_EQ(ask(Batch(65)).status.code(), base::Code::kInvalidArgument);
  EXPECT_EQ(ask(Batch(1), milliseconds(-1)).status.code(), base::Code::kDeadlineExceeded);
  ASSERT_TRUE(service_->Drain(milliseconds(10000)).ok());
  const auto shed = ask(Batch(1));
  EXPECT_EQ(shed.status.code(), base::Code::kResourceExhausted);
  EXPECT_EQ(shed.pushback, milliseconds(200));
}

TEST_F(ClassifierServiceTest, ALocalClientAnswersEveryCallBeforeItGoes) {
  Start({2, 4096});
  std::atomic<int> answered = 0;
  {
    const auto local = service_->LocalClient();
    for (int i = 0; i < 60; ++i)
      local->ClassifyBatch(Batch(64), std::chrono::seconds(60), [&answered](const ClassifierClient::Reply&) { ++answered; });
  }
  EXPECT_EQ(answered, 60);
}

TEST_F(ClassifierServiceTest, FinishesWhatItHasAndTakesNoMoreWhenItDrains) {
  Start({2, 1024});
  v1::ClassifyBatchResponse response;
  ASSERT_TRUE(Classify(Batch(8), &response).ok());
  ASSERT_TRUE(service_->Drain(milliseconds(10000)).ok());
  EXPECT_TRUE(service_->Idle());
  EXPECT_EQ(Classify(Batch(8), &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ClassifierServiceTest, CountsTheLabelsItGives) {
  Start({1, 1024});
  v1::ClassifyBatchResponse response;
  ASSERT_TRUE(Classify(Batch(5), &response).ok());
  const AnswerLabels labels = LabelsOf(response.results(0).tags());
  ASSERT_TRUE(labels[0]) << "the test needs a relevant document";
  std::map<std::string, double> counted;
  for (const auto& family : registry_.Collect())
    if (family.name == "racewatch_classifier_labels_total")
      for (const auto& metric : family.metric) counted[metric.label.at(0).value] = metric.counter.value;
  ASSERT_EQ(counted.size(), kAnswerLabels);
  for (size_t i = 0; i < kAnswerLabels; ++i) EXPECT_EQ(counted[AnswerLabelNames()[i]], labels[i] ? 5 : 0) << AnswerLabelNames()[i];
}

TEST_F(ClassifierServiceTest, SaysWhichModelItServesAndExplainsIt) {
  Start({1, 64});
  grpc::ClientContext model_context;
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&model_context, {}, &model).ok());
  EXPECT_EQ(model.sha256(), model_->sha256());
  EXPECT_EQ(model.sha256().size(), 64u);
  grpc::ClientContext context;
  v1::ExplainRequest request;
  *request.mutable_document() = Batch(1).documents(0);
  v1::ExplainResponse response;
  ASSERT_TRUE(stub_->Explain(&context, request, &response).ok());
  EXPECT_GT(response.labels_size(), 0);
  grpc::ClientContext bad_context;
  request.add_labels("theme:nonsense");
  EXPECT_EQ(stub_->Explain(&bad_context, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ClassifierServiceTest, AnswersHealthByServiceName) {
  Start({1, 64});
  // The standard protocol by hand: Debian ships no header for grpc.health.v1.
  const auto check = [&](const std::string& name) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const std::string bytes = name.empty() ? "" : std::string("\x0a") + static_cast<char>(name.size()) + name;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    grpc::CompletionQueue queue;
    grpc::GenericStub generic(channel_);
    const auto call = generic.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool done = false;
    queue.Next(&tag, &done);
    grpc::Slice answer;
    if (!status.ok() || !response.DumpToSingleSlice(&answer).ok()) return std::string();
    return std::string(reinterpret_cast<const char*>(answer.begin()), answer.size());
  };
  EXPECT_EQ(check(""), "\x08\x01");  // SERVING
  EXPECT_EQ(check(kClassifierServiceName), "\x08\x01");
  EXPECT_EQ(check("racewatch.v1.Nothing"), "");  // NOT_FOUND
}

}  // namespace
}  // namespace racewatch::classify
