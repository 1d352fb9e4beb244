#include "classify/model/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "classify/model/model.h"

namespace racewatch::classify {
namespace {

class ModelFileTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::temp_directory_path() / ("racewatch_model_" + std::to_string(getpid()))).string();
    std::ifstream in(DefaultModelPath(), std::ios::binary);
    std::stringstream buffer;
    buffer << in.rdbuf();
    bytes_ = buffer.str();
    ASSERT_GT(bytes_.size(), sizeof(ModelHeader));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  base::Status LoadBytes(std::string_view bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    return Model::Load(path_).status();
  }

  // Makes changed bytes pass the checksums, so that what they say is looked at.
  void Seal() {
    ModelHeader header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    header.body_checksum = XXH64(bytes_.data() + sizeof header, bytes_.size() - sizeof header, 0);
    header.header_checksum = XXH64(&header, offsetof(ModelHeader, header_checksum), 0);
    std::memcpy(bytes_.data(), &header, sizeof header);
  }

  std::string path_, bytes_;
};

TEST_F(ModelFileTest, LoadsAsItIs) { EXPECT_TRUE(LoadBytes(bytes_).ok()); }

TEST_F(ModelFileTest, RefusesAFileTruncatedAtAny4KbStep) {
  for (size_t size = 0; size < bytes_.size(); size += 4096) {
    const base::Status status = LoadBytes(std::string_view(bytes_).substr(0, size));
    ASSERT_EQ(status.code(), base::Code::kDataLoss) << size;
    EXPECT_NE(status.message().find("truncated"), std::string::npos) << status.message();
  }
}

TEST_F(ModelFileTest, RefusesAFlippedBitAnywhere) {
  for (size_t at = 0; at < bytes_.size(); at += bytes_.size() / 97) {
    std::string changed = bytes_;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_FALSE(LoadBytes(changed).ok()) << at;
  }
}

TEST_F(ModelFileTest, RefusesAnotherFormatVersion) {
  ++bytes_[offsetof(ModelHeader, format)];
  Seal();
  const base::Status status = LoadBytes(bytes_);
  EXPECT_EQ(status.code(), base::Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("format version " + std::to_string(kModelFormat + 1)), std::string::npos) << status.message();
}

TEST_F(ModelFileTest, RefusesAModelThatLostALabel) {
  const size_t at = bytes_.find("\"theme:markets\"");
  ASSERT_NE(at, std::string::npos);
  bytes_.replace(at, 15, "\"theme:cricket\"");
  Seal();
  const base::Status status = LoadBytes(bytes_);
  EXPECT_EQ(status.code(), base::Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("theme:markets expected"), std::string::npos) << status.message();
}

TEST_F(ModelFileTest, RefusesSealedTablesThatPointOutside) {
  ModelHeader header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  std::memset(bytes_.data() + header.section[kRowNumbers].offset, 0xFF, header.section[kRowNumbers].length);
  Seal();
  EXPECT_EQ(LoadBytes(bytes_).code(), base::Code::kDataLoss);
}

TEST_F(ModelFileTest, RefusesOtherFiles) {
  EXPECT_EQ(LoadBytes(std::string(100000, 'x')).code(), base::Code::kDataLoss);
  EXPECT_EQ(Model::Load(std::filesystem::temp_directory_path().string()).status().code(), base::Code::kNotFound);
}

}  // namespace
}  // namespace racewatch::classify
