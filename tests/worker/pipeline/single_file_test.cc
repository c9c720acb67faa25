// Pipelines of single files against those of the folders with the same
// weights: text encoders, what a denoiser prepares, and decoders have equal
// bits.

#include "worker/weights/single_file/single_file.h"

#include <filesystem>
#include <tuple>

#include "ATen/ops/linspace.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/mapped_tensors.h"
#include "worker/weights/safetensors_writer.h"

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
  EXPECT_EQ(PipelineWeightBytes(files, Placement())->all,
            PipelineWeightBytes(folder, Placement())->all);
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

// Sizing, which comes first, and loading name the part and the three ways to
// give it.
void ExpectMissing(const std::string& path, const std::string& component,
                   const std::string& family) {
  for (const absl::Status& status :
       {PipelineWeightBytes(path, Placement()).status(),
        LoadPipeline(path, Placement()).status()}) {
    for (const std::string& part :
         {absl::StrCat(path, ": component ", component, " is missing"),
          std::string("parts:"), std::string("config:"),
          absl::StrCat(family, ".config")}) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, part));
    }
  }
}

TEST(LackingFileTest, ABareDenoiserSaysWhatIsMissing) {
  const TestFolder folder;
  const std::string path = folder.path() + "/bare.safetensors";
  const std::string flux = SourcePath("tests/data/reference/models/flux-dev");
  for (const auto& [network, component, class_name, family] :
       {std::tuple(flux, "transformer", "FluxTransformer2DModel", "flux"),
        std::tuple(TinyModelFolder(), "unet", "UNet2DConditionModel", "sd1")}) {
    const auto tensors = OpenTensors(absl::StrCat(network, "/", component));
    ASSERT_THAT(tensors, IsOk());
    const auto bare = ToOriginalNames(*tensors, family, component, class_name);
    ASSERT_THAT(bare, IsOk());
    ASSERT_THAT(WriteSafetensors(path, **bare, {}), IsOk());
    ExpectMissing(path, "text_encoder", family);
  }
}

// For a refiner, which has no such encoder, it is not taken.
TEST(LackingFileTest, SdxlMissesItsFirstEncoder) {
  const std::string whole =
      SourcePath("../shared/reference/models/single-file/sdxl.safetensors");
  if (!std::filesystem::exists(whole)) GTEST_SKIP() << "no reference models";
  const auto tensors = *OpenTensorFile(whole);
  TensorRecipes kept;
  for (const auto& entry : tensors->entries()) {
    if (absl::StartsWith(entry.first, "conditioner.embedders.0.")) continue;
    kept[entry.first] = {.pieces = {{entry.first}}};
  }
  const auto rest = MappedTensors::Create(tensors, kept);
  ASSERT_THAT(rest, IsOk());
  const TestFolder folder;
  const std::string path = folder.path() + "/cut.safetensors";
  ASSERT_THAT(WriteSafetensors(path, **rest, {}), IsOk());
  ExpectMissing(path, "text_encoder", "sdxl");
}

}  // namespace
}  // namespace genzo
