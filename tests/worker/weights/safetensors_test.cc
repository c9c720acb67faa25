#include "worker/weights/safetensors.h"

#include <sys/stat.h>

#include <filesystem>

#include "ATen/ops/equal.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"

namespace genzo {
namespace {

absl::Status Parse(const std::string& file) {
  return ParseSafetensorsHeader(file, file.size()).status();
}

absl::Status ParseHeader(const std::string& header, size_t data_bytes) {
  return Parse(TensorFile(header, data_bytes));
}

TEST(SafetensorsTest, ReadsEntries) {
  const std::string file =
      TensorFile(R"({"__metadata__":{"format":"pt"},)"
                 R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                 R"("b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}})",
                 10);
  const auto header = ParseSafetensorsHeader(file, file.size());
  ASSERT_THAT(header, IsOk());
  ASSERT_EQ(header->entries.size(), 2u);
  EXPECT_EQ(header->entries.at("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(header->entries.at("b").dtype, at::kBFloat16);
  EXPECT_EQ(header->entries.at("b").begin_bytes, 8u);
  EXPECT_EQ(header->metadata.at("format"), "pt");
}

TEST(SafetensorsTest, RefusesBadLengths) {
  EXPECT_THAT(Parse(""), StatusIs(kInvalid, "too few"));
  EXPECT_THAT(Parse("1234567"), StatusIs(kInvalid, "too few"));
  EXPECT_THAT(Parse(std::string(8, '\xff')), StatusIs(kInvalid, "header of"));
  std::string cut = TensorFile("{}", 0);
  cut.pop_back();
  EXPECT_THAT(Parse(cut), StatusIs(kInvalid, "header of 2 bytes"));
}

TEST(SafetensorsTest, RefusesWhatIsNotAnObject) {
  EXPECT_THAT(ParseHeader(" {}", 0), StatusIs(kInvalid, "begin with {"));
  EXPECT_THAT(ParseHeader("{", 0), StatusIs(kInvalid, "is not JSON"));
  EXPECT_THAT(ParseHeader(R"({"a":5})", 0), StatusIs(kInvalid, "\"a\" is not"));
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
                  4),
      StatusIs(kInvalid, "\"a\" is not"));
}

TEST(SafetensorsTest, RefusesUnknownDtypes) {
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})",
                  4),
      StatusIs(kInvalid, "dtype \"F4\""));
}

TEST(SafetensorsTest, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
                  4),
      StatusIs(kInvalid, "has 4 bytes, its shape and dtype need 8"));
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
                  R"("data_offsets":[0,4]}})",
                  4),
      StatusIs(kInvalid, "more than 2^63"));
  EXPECT_THAT(ParseHeader(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],)"
                          R"("data_offsets":[0,1]}})",
                          1),
              StatusIs(kInvalid, "9 dimensions"));
}

TEST(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})",
                  4),
      StatusIs(kInvalid, "the data has 4 bytes"));
  EXPECT_THAT(
      ParseHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}})",
                  4),
      StatusIs(kInvalid, "offsets 2 to 1"));
}

TEST(SafetensorsTest, RefusesOverlapsAndHoles) {
  const std::string a =
      R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  EXPECT_THAT(
      ParseHeader(
          "{" + a + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
          6),
      StatusIs(kInvalid, "\"b\" begins at 2, inside"));
  EXPECT_THAT(
      ParseHeader(
          "{" + a + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})",
          6),
      StatusIs(kInvalid, "after a hole"));
  EXPECT_THAT(ParseHeader("{" + a + "}", 6),
              StatusIs(kInvalid, "tensors end at 4, the data has 6"));
}

TEST(SafetensorsTest, RefusesDuplicates) {
  const std::string a =
      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(ParseHeader("{" + a + "," + a + "}", 1),
              StatusIs(kInvalid, "\"a\" occurs twice"));
}

TEST(SafetensorsTest, ReadsTensorsThatAreNotAligned) {
  const TestFolder folder;
  std::string file =
      TensorFile(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                 R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                 0);
  const float value = 1.5f;
  file += '\x07';
  file.append(reinterpret_cast<const char*>(&value), 4);
  const auto opened = SafetensorsFile::Open(folder.Write("x", file));
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ((*opened)->Read("a")->item<uint8_t>(), 7);
  EXPECT_EQ((*opened)->Read("b")->item<float>(), 1.5f);
  EXPECT_THAT((*opened)->Read("c"),
              StatusIs(absl::StatusCode::kNotFound, "\"c\" is missing"));
}

TEST(SafetensorsTest, TensorsOutliveTheirFile) {
  at::Tensor tensor;
  {
    const TestFolder folder;
    const std::string file = TensorFile(
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
    tensor = *(*SafetensorsFile::Open(folder.Write("x", file)))->Read("a");
  }
  EXPECT_EQ(tensor.item<float>(), 0.0f);
}

TEST(SafetensorsTest, ReadsLargeTensorsInTheTypeThatIsWanted) {
  const TestFolder folder;
  std::vector<float> values(700'001);  // some chunks and a rest
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i) / 3;
  }
  const auto file =
      SafetensorsFile::Open(folder.Write("x", FloatFile({{"a", values}})));
  ASSERT_THAT(file, IsOk());
  const at::Tensor expected = at::tensor(values);
  EXPECT_TRUE(at::equal(*(*file)->Read("a"), expected));
  const auto cast = (*file)->Read("a", {.dtype = at::kBFloat16});
  EXPECT_TRUE(at::equal(*cast, expected.to(at::kBFloat16)));
}

TEST(SafetensorsTest, AFileThatShrankIsAnError) {
  const TestFolder folder;
  const std::string path =
      folder.Write("x", FloatFile({{"a", {1}}, {"b", {2, 3}}}));
  const auto file = SafetensorsFile::Open(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 4);
  EXPECT_THAT((*file)->Read("a"), IsOk());
  EXPECT_THAT((*file)->Read("b"),
              StatusIs(absl::StatusCode::kDataLoss, ": tensor \"b\""));
}

TEST(SafetensorsTest, APipeIsRefused) {
  const TestFolder folder;
  const std::string pipe = folder.path() + "/x";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(SafetensorsFile::Open(pipe), StatusIs(kInvalid, pipe));
}

TEST(SafetensorsTest, NamesTheFile) {
  EXPECT_THAT(SafetensorsFile::Open("/nowhere"),
              StatusIs(absl::StatusCode::kNotFound, "/nowhere"));
  const TestFolder folder;
  EXPECT_THAT(SafetensorsFile::Open(folder.path()),
              StatusIs(kInvalid, folder.path()));
}

}  // namespace
}  // namespace genzo
