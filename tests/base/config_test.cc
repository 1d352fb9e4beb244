#include "base/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "racewatch/v1/config.pb.h"

namespace racewatch::base {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ~ConfigTest() override { std::filesystem::remove(path_); }
  Status Load(const std::string& text) {
    std::ofstream(path_) << text;
    return LoadConfig(path_, &config_);
  }
  const std::string path_ =
      testing::TempDir() + "racewatch_config_" + std::to_string(getpid()) + ".txtpb";
  v1::TaggerConfig config_;
};

TEST_F(ConfigTest, ReadsTextFormat) {
  ASSERT_TRUE(
      Load("# a comment\nbatch_documents_max: 16\nhttp { listen: \"127.0.0.1:0\" }\n").ok());
  EXPECT_EQ(config_.batch_documents_max(), 16u);
  EXPECT_EQ(config_.http().listen(), "127.0.0.1:0");
}

TEST_F(ConfigTest, SaysLineAndColumnOfASyntaxError) {
  const Status status = Load("batch_documents_max: 16\nhttp { lissten: \"x\" }\n");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find(path_ + ":2:"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("lissten"), std::string::npos) << status.message();
}

TEST_F(ConfigTest, NamesAMissingFile) {
  const Status status = LoadConfig("/nonexistent/racewatch.txtpb", &config_);
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "config /nonexistent/racewatch.txtpb: No such file or directory");
}

TEST(Problems, ListsAllOfThem) {
  Problems problems;
  EXPECT_TRUE(problems.ToStatus("f").ok());
  CheckListen("http.listen", "127.0.0.1", &problems);
  CheckListen("grpc_listen", "127.0.0.1:99999", &problems);
  CheckListen("ok", "[::1]:80", &problems);
  CheckRange("threads", 0, 1, 8, &problems);
  EXPECT_EQ(problems.lines().size(), 3u);
  EXPECT_EQ(problems.ToStatus("f").message(),
            "config f: http.listen: '127.0.0.1' is not HOST:PORT with a port from 0 to 65535; "
            "grpc_listen: "
            "'127.0.0.1:99999' is not HOST:PORT with a port from 0 to 65535; threads: 0 is outside "
            "1 to 8");
}

}  // namespace
}  // namespace racewatch::base
