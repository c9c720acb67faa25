#include "worker/residency/model_description.h"

#include <filesystem>

#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_sd3.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

// Nothing of what the catalog tells needs a model's values.
void ExpectToldAlike(const std::string& folder) {
  SCOPED_TRACE(folder);
  const Placement placement = {.dtype = at::kBFloat16};
  const auto loaded = LoadPipeline(folder, placement);
  const auto described = DescribePipeline(folder, placement);
  ASSERT_THAT(loaded, IsOk());
  ASSERT_THAT(described, IsOk());
  EXPECT_GT((*loaded)->weight_bytes(), 0);
  EXPECT_EQ((*described)->weight_bytes(), 0) << "it was but looked at";
  v1::Model told = DescribeModel("a", **loaded, Config());
  told.clear_weight_bytes();
  EXPECT_EQ(DescribeModel("a", **described, Config()).DebugString(),
            told.DebugString());
  const PipelineTraits& traits = (*loaded)->traits();
  EXPECT_EQ((*described)->traits().control_fit, traits.control_fit);
  EXPECT_EQ((*described)->traits().picture_fit, traits.picture_fit);
  EXPECT_EQ((*described)->traits().text_widths, traits.text_widths);
  EXPECT_EQ((*described)->adapter_targets() == nullptr,
            (*loaded)->adapter_targets() == nullptr);
}

TEST(ModelDescriptionTest, HeadsTellWhatALoadedModelDoes) {
  const c10::InferenceMode inference;
  const TestFolder folder;
  ExpectToldAlike(TinyModelFolder());
  ExpectToldAlike(TinyFluxFolder());
  ExpectToldAlike(WriteTinySd3(folder));
  ExpectToldAlike(WriteTinySdxl(folder, /*with_refiner=*/true));
}

TEST(ModelDescriptionTest, HeadsTellWhatIsMissing) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  const std::string name = "unet/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(model + "/" + name);
  ASSERT_EQ(tensors.erase("conv_out.bias"), 1u);
  std::filesystem::remove(model + "/" + name);
  folder.Write("model/" + name, TensorsFile(tensors));
  EXPECT_THAT(DescribePipeline(model, Placement()).status(),
              StatusIs(absl::StatusCode::kNotFound,
                       "tensor \"conv_out.bias\" is missing"));
  tensors["conv_out.bias"] = at::zeros({4});
  tensors["odd"] = at::zeros({4});
  std::filesystem::remove(model + "/" + name);
  folder.Write("model/" + name, TensorsFile(tensors));
  EXPECT_THAT(DescribePipeline(model, Placement()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"odd\" has no place"));
}

}  // namespace
}  // namespace genzo
