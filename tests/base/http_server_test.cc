#include "base/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <prometheus/registry.h>

#include "base/metrics.h"

namespace racewatch::base {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void Start() {
    server_.ExportMetrics(registry_);
    ASSERT_TRUE(server_.Start().ok());
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_.port());
  }
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  HttpServer server_{{"127.0.0.1:0", 4}};
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(HttpServerTest, ServesMetricsOfEveryStage) {
  StageMetrics stage(*registry_, "tagger");
  stage.Received(3);
  stage.Dropped("too_late", 2);
  Start();
  const auto reply = client_->Get("/metrics");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_NE(reply->body.find("racewatch_stage_received_total{stage=\"tagger\"} 3"),
            std::string::npos)
      << reply->body;
  EXPECT_NE(
      reply->body.find("racewatch_stage_dropped_total{reason=\"too_late\",stage=\"tagger\"} 2"),
      std::string::npos);
}

TEST_F(HttpServerTest, IsHealthyAtOnceAndReadyWhenTheRoleSaysSo) {
  std::string why = "classifier: no answer yet";
  server_.SetReadiness([&why] { return why; });
  Start();
  EXPECT_EQ(client_->Get("/-/healthy")->status, 200);
  EXPECT_EQ(client_->Get("/-/ready")->status, 503);
  EXPECT_EQ(client_->Get("/-/ready")->body, "classifier: no answer yet\n");
  why.clear();
  EXPECT_EQ(client_->Get("/-/ready")->status, 200);
}

TEST_F(HttpServerTest, HandsQueryAndCapturesToTheHandler) {
  server_.Handle("GET", "/api/v1/stories/([0-9a-f]+)", [](const HttpRequest& request) {
    HttpResponse response;
    response.body = request.captures.at(0) + "|" + request.Query("page_size", "none") + "|" +
                    request.Query("absent", "none");
    return response;
  });
  Start();
  EXPECT_EQ(client_->Get("/api/v1/stories/ab12?page_size=5")->body, "ab12|5|none");
  EXPECT_EQ(client_->Get("/api/v1/stories/XYZ")->status, 404);
}

TEST_F(HttpServerTest, StreamsUntilTheHandlerEnds) {
  server_.Handle("GET", "/stream", [](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "application/x-ndjson";
    response.stream = [n = 0](const std::function<bool(std::string_view)>& write) mutable {
      write("line " + std::to_string(n) + "\n");
      return ++n < 3;
    };
    return response;
  });
  Start();
  EXPECT_EQ(client_->Get("/stream")->body, "line 0\nline 1\nline 2\n");
}

TEST_F(HttpServerTest, AnswersAnExceptionWithAnErrorAndGoesOn) {
  server_.Handle("GET", "/boom",
                 [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("boom"); });
  Start();
  EXPECT_EQ(client_->Get("/boom")->status, 500);
  EXPECT_EQ(client_->Get("/-/healthy")->status, 200);
}

TEST_F(HttpServerTest, RefusesAPortThatIsTaken) {
  Start();
  HttpServer second({"127.0.0.1:" + std::to_string(server_.port()), 1});
  const Status status = second.Start();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.message().find("address in use"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace racewatch::base
