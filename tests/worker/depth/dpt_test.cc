// Against transformers' DPTForDepthEstimation (tests/data/make_dpt.py).

#include "worker/depth/dpt.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/max.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

std::string FolderOf(const std::string& kind) {
  return SourcePath("tests/data/dpt/" + kind);
}

class DptTest : public ::testing::TestWithParam<const char*> {};

TEST_P(DptTest, SeesTheReferencesDepth) {
  const c10::InferenceMode inference;
  const std::string folder = FolderOf(GetParam());
  const auto config = ReadDptConfig(folder + "/config.json");
  ASSERT_THAT(config, IsOk());
  const auto file = SafetensorsFile::Open(folder + "/model.safetensors");
  ASSERT_THAT(file, IsOk());
  const Weights weights(*file, at::kFloat, at::kCPU);
  const Dpt dpt(*config, weights);
  ASSERT_THAT(weights.Finish(Dpt::IgnoredTensors()), IsOk());
  const auto golden = SafetensorsFile::Open(folder + "/golden.safetensors");
  ASSERT_THAT(golden, IsOk());
  const at::Tensor expected = *(*golden)->Read("depth");
  const at::Tensor depth = dpt.forward(*(*golden)->Read("pixels"));
  ASSERT_EQ(depth.sizes(), expected.sizes());
  const double largest = at::max(at::abs(expected)).item<double>();
  EXPECT_LT(at::max(at::abs(depth - expected)).item<double>(), 1e-4 * largest);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DptTest, ::testing::Values("plain", "hybrid"));

TEST(DptConfigTest, NamesBadValues) {
  const TestFolder folder;
  const auto expect = [&](const std::string& json, absl::StatusCode code,
                          const std::string& text) {
    EXPECT_THAT(ReadDptConfig(folder.Write("config.json", json)),
                StatusIs(code, text));
  };
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  expect(R"({"backbone_out_indices":[0,2,1,3]})", kInvalid,
         "backbone_out_indices");
  expect(R"({"backbone_out_indices":[0,1,2,12]})", kInvalid,
         "backbone_out_indices");
  expect(R"({"neck_hidden_sizes":[1,2,3]})", kInvalid, "neck_hidden_sizes");
  expect(R"({"patch_size":7})", kInvalid, "patch_size");
  expect(R"({"reassemble_factors":[4,2,1,0.3]})", kUnimplemented,
         "reassemble_factors");
  expect(R"({"readout_type":"all"})", kUnimplemented, "readout_type");
  expect(R"({"is_hybrid":true,"backbone_config":{"depths":[1,2]}})",
         kUnimplemented, "depths");
  expect(R"({"is_hybrid":true,"patch_size":32})", kUnimplemented, "patch_size");
}

}  // namespace
}  // namespace genzo
