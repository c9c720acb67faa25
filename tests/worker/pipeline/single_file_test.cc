// Pipelines of single files against those of the folders with the same
// weights: text encoders, what a denoiser prepares, and decoders have equal
// bits.

#include <filesystem>

#include "ATen/ops/linspace.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

struct Pair {
  std::string file;
  std::string folder;
};

class SingleFilePipelineTest : public ::testing::TestWithParam<Pair> {};

TEST_P(SingleFilePipelineTest, IsThatOfTheFolder) {
  const std::string models = SourcePath("../shared/reference/models/");
  const std::string folder = models + GetParam().folder;
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no reference models";
  ModelFiles files(models + "single-file/" + GetParam().file);
  files.config = folder;  // head and group counts, and what the file lacks
  const auto single = LoadPipeline(files, Placement());
  ASSERT_THAT(single, IsOk());
  const auto expected = LoadPipeline(folder, Placement());
  ASSERT_THAT(expected, IsOk());
  EXPECT_EQ((*single)->weight_bytes(), (*expected)->weight_bytes());
  EXPECT_EQ(*PipelineWeightBytes(files, Placement()),
            *PipelineWeightBytes(folder, Placement()));
  const PreparedRef prepared = (*single)->PrepareEmpty();
  const PreparedRef of_folder = (*expected)->PrepareEmpty();
  ASSERT_EQ(prepared->tensors.size(), of_folder->tensors.size());
  for (size_t i = 0; i < prepared->tensors.size(); ++i) {
    EXPECT_THAT(prepared->tensors[i], TensorEquals(of_folder->tensors[i]));
  }
  const int64_t channels = (*single)->codec().latent_channels();
  const at::Tensor latents =
      at::linspace(-1, 1, channels * 64).view({1, channels, 8, 8});
  EXPECT_THAT((*single)->codec().Decode(latents),
              TensorEquals((*expected)->codec().Decode(latents)));
}

INSTANTIATE_TEST_SUITE_P(All, SingleFilePipelineTest,
                         ::testing::Values(Pair{"sd1-ldm.safetensors", "sd1"},
                                           Pair{"sdxl.safetensors", "sdxl"},
                                           Pair{"sd3.safetensors", "sd3"},
                                           Pair{"flux1-dev.safetensors",
                                                "flux-dev"}));

}  // namespace
}  // namespace genzo
