#include "worker/weights/scaled_tensors.h"

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

class ScaledTensorsTest : public ::testing::Test {
 protected:
  // A file with "a.weight" [2, 2] of 1, 2, -1, 448 in `dtype`, and what
  // `scales` say, in float32.
  absl::StatusOr<std::shared_ptr<const TensorSource>> Open(
      const std::string& dtype,
      const std::vector<std::pair<std::string, std::vector<float>>>& scales) {
    nlohmann::json header = {
        {"a.weight",
         {{"dtype", dtype}, {"shape", {2, 2}}, {"data_offsets", {0, 4}}}}};
    std::string data =
        dtype == "F8_E4M3" ? "\x38\x40\xB8\x7E" : "\x3C\x40\xBC\x5F";
    for (const auto& [name, values] : scales) {
      const size_t begin = data.size();
      data.append(reinterpret_cast<const char*>(values.data()),
                  values.size() * sizeof(float));
      header[name] = {{"dtype", "F32"},
                      {"shape", {values.size()}},
                      {"data_offsets", {begin, data.size()}}};
    }
    auto file = SafetensorsFile::Open(
        folder_.Write("x", TensorFile(header.dump(), 0) + data));
    if (!file.ok()) return file.status();
    return ScaledTensors::Create(*file);
  }

  const TestFolder folder_;
};

TEST_F(ScaledTensorsTest, Float8WithoutScalesIsWhatItIs) {
  const auto e4m3 = Open("F8_E4M3", {});
  ASSERT_THAT(e4m3, IsOk());
  EXPECT_THAT(*(*e4m3)->Read("a.weight", {.dtype = at::kFloat}),
              TensorEquals(at::tensor({1.f, 2.f, -1.f, 448.f}).view({2, 2})));
  const auto e5m2 = Open("F8_E5M2", {});
  ASSERT_THAT(e5m2, IsOk());
  EXPECT_THAT(
      *(*e5m2)->Read("a.weight", {.dtype = at::kBFloat16}),
      TensorEquals(
          at::tensor({1.f, 2.f, -1.f, 448.f}).view({2, 2}).to(at::kBFloat16)));
}

TEST_F(ScaledTensorsTest, OneScaleForAll) {
  const auto scaled = Open(
      "F8_E4M3",
      {{"a.scale_weight", {0.5f}}, {"a.scale_input", {3}}, {"scaled_fp8", {}}});
  ASSERT_THAT(scaled, IsOk());
  EXPECT_EQ((*scaled)->entries().size(), 1u);
  EXPECT_EQ((*scaled)->entries().at("a.weight").dtype, at::kFloat);
  EXPECT_EQ((*scaled)->entries().at("a.weight").stored_dtype,
            at::kFloat8_e4m3fn);
  EXPECT_EQ((*scaled)->entries().at("a.weight").elements(), 4);
  EXPECT_THAT(*(*scaled)->Read("a.weight"),
              TensorEquals(at::tensor({0.5f, 1.f, -0.5f, 224.f}).view({2, 2})));
}

TEST_F(ScaledTensorsTest, OneScaleARow) {
  const auto scaled = Open("F8_E4M3", {{"a.weight_scale", {2, 0.25f}}});
  ASSERT_THAT(scaled, IsOk());
  EXPECT_THAT(*(*scaled)->Read("a.weight", {.rows = RowRange{1, 1}}),
              TensorEquals(at::tensor({-0.25f, 112.f}).view({1, 2})));
}

TEST_F(ScaledTensorsTest, ScalesThatFitNothingAreNamed) {
  EXPECT_THAT(Open("F8_E4M3", {{"a.weight_scale", {1, 2, 3}}}).status(),
              StatusIs(kInvalid, "\"a.weight_scale\" has 3 elements"));
  EXPECT_THAT(Open("F8_E4M3", {{"b.weight_scale", {1}}}).status(),
              StatusIs(kInvalid, "no float8 tensor \"b.weight\""));
  EXPECT_THAT(
      Open("F8_E4M3", {{"a.weight_scale", {1}}, {"a.scale_weight", {1}}})
          .status(),
      StatusIs(kInvalid, "is the second of \"a.weight\""));
}

TEST_F(ScaledTensorsTest, WhatIsNotFiniteIsNamed) {
  const auto scaled = Open("F8_E4M3", {{"a.scale_weight", {1e38f}}});
  ASSERT_THAT(scaled, IsOk());
  EXPECT_THAT((*scaled)->Read("a.weight", {.must_be_finite = true}),
              StatusIs(kInvalid, "\"a.weight\""));
}

}  // namespace
}  // namespace genzo
