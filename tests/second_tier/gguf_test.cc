#include "classify/second_tier/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

base::Status OpenBytes(const std::string& bytes) { return GgufFile::Open(WriteTemporary("gguf_test.gguf", bytes)).status(); }

TEST(GgufTest, ReadsValuesAndTensors) {
  GgufWriter writer;
  writer.Text("name", "a model");
  writer.Count("layers", 28);
  writer.Real("epsilon", 0.5f);
  writer.Texts("tokens", {"a", "b b", ""});
  writer.Reals("kinds", {1, 3});
  writer.Floats("w", 3, 2, {1, 2, 3, 4, 5, 6});
  writer.Floats("v", 1, 1, {7});
  const auto file = GgufFile::Open(WriteTemporary("values.gguf", writer.Bytes()));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(*(*file)->Text("name"), "a model");
  EXPECT_EQ(*(*file)->Count("layers"), 28u);
  EXPECT_EQ(*(*file)->Real("epsilon"), 0.5);
  EXPECT_EQ(**(*file)->Texts("tokens"), (std::vector<std::string_view>{"a", "b b", ""}));
  EXPECT_EQ(**(*file)->Reals("kinds"), (std::vector<double>{1, 3}));
  const auto tensor = (*file)->Tensor("w", 3, 2);
  ASSERT_TRUE(tensor.ok());
  std::vector<float> row(3);
  Dequantize(**tensor, 1, 1, row.data());
  EXPECT_EQ(row, (std::vector<float>{4, 5, 6}));
  const std::string sha256 = (*file)->Sha256();
  EXPECT_EQ(sha256.size(), 64u);
  (*file)->Forget();
  EXPECT_EQ((*file)->Sha256(), sha256);
}

TEST(GgufTest, NamesWhatIsMissingOrOfAnotherKind) {
  GgufWriter writer;
  writer.Text("name", "a model");
  writer.Floats("w", 3, 2, {1, 2, 3, 4, 5, 6});
  const auto file = GgufFile::Open(WriteTemporary("missing.gguf", writer.Bytes()));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->Count("name").status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE((*file)->Text("other").status().message().find("no text other"), std::string::npos);
  EXPECT_NE((*file)->Tensor("w", 2, 3).status().message().find("3 x 2, 2 x 3 expected"), std::string::npos);
  EXPECT_NE((*file)->Tensor("x", 2, 3).status().message().find("no tensor x"), std::string::npos);
}

TEST(GgufTest, RefusesAQuantisationItCannotReadOnlyWhenItIsAskedFor) {
  GgufWriter writer;
  writer.Floats("w", 4, 1, {1, 2, 3, 4});
  std::string bytes = writer.Bytes();
  // The type stands before the offset, at the end of the only tensor's description.
  const size_t type_at = bytes.find("w") + 1 + 4 + 8 + 8;
  const uint32_t q2_k = 10;
  std::memcpy(bytes.data() + type_at, &q2_k, 4);
  const auto file = GgufFile::Open(WriteTemporary("q2k.gguf", bytes));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_NE((*file)->Tensor("w", 4, 1).status().message().find("quantisation 10 is not supported"), std::string::npos);
}

TEST(GgufTest, RefusesAFileTruncatedAnywhere) {
  const std::string bytes = TinyModel().Bytes();
  const size_t step = 509;
  for (size_t size = 1; size < bytes.size(); size += step) {
    const base::Status status = OpenBytes(bytes.substr(0, size));
    ASSERT_EQ(status.code(), base::Code::kDataLoss) << size << " of " << bytes.size();
  }
  EXPECT_TRUE(OpenBytes(bytes).ok());
}

TEST(GgufTest, NeverReadsOutsideAFileWithFlippedBytes) {
  const std::string bytes = TinyModel().Bytes();
  size_t refused = 0;
  for (size_t at = 0; at < 6000 && at < bytes.size(); at += 7) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0xa5);
    const auto file = GgufFile::Open(WriteTemporary("flipped.gguf", changed));
    if (!file.ok()) {
      ++refused;
      continue;
    }
    if (const GgufTensor* tensor = (*file)->Find("token_embd.weight"); tensor && tensor->data) {
      std::vector<float> row(tensor->columns);
      if (tensor->rows) Dequantize(*tensor, tensor->rows - 1, 1, row.data());
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(GgufTest, RefusesTensorsOfImpossibleSize) {
  GgufWriter writer;
  writer.Floats("w", 4, 1, {1, 2, 3, 4});
  const std::string bytes = writer.Bytes();
  const size_t columns_at = bytes.find("w") + 1 + 4;
  for (const uint64_t columns : {uint64_t{1} << 62, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string changed = bytes;
    std::memcpy(changed.data() + columns_at, &columns, 8);
    EXPECT_EQ(OpenBytes(changed).code(), base::Code::kDataLoss) << columns;
  }
}

TEST(GgufTest, RefusesOtherFilesByName) {
  EXPECT_EQ(GgufFile::Open("/nonexistent/model.gguf").status().code(), base::Code::kNotFound);
  EXPECT_EQ(GgufFile::Open(std::filesystem::temp_directory_path().string()).status().code(), base::Code::kNotFound);
  EXPECT_EQ(OpenBytes(std::string(100, 'x')).code(), base::Code::kDataLoss);
  EXPECT_EQ(OpenBytes(GgufWriter().Bytes(1)).code(), base::Code::kFailedPrecondition);
  const base::Status status = OpenBytes(std::string("GGUF\3\0\0\0", 8) + std::string(16, '\xff'));
  EXPECT_NE(status.message().find("gguf_test.gguf"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace racewatch::classify
