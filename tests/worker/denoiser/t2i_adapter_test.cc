#include "worker/denoiser/t2i_adapter.h"

#include "ATen/ops/rand.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

// What tests/data/make_t2i_adapter.py made of one kind of adapter.
class Golden {
 public:
  explicit Golden(const std::string& kind)
      : folder_(SourcePath("tests/data/t2i_adapter/" + kind)),
        tensors_(*SafetensorsFile::Open(folder_ + "/golden.safetensors")),
        unet_weights_(*OpenWeights(folder_ + "/unet", at::kFloat, at::kCPU)),
        weights_(*OpenWeights(folder_ + "/adapter", at::kFloat, at::kCPU)),
        unet_(*ReadUNet2DConditionConfig(folder_ + "/unet/config.json"),
              unet_weights_),
        adapter_(*ReadT2IAdapterConfig(folder_ + "/adapter/config.json"),
                 weights_) {
    EXPECT_THAT(weights_.Finish(), IsOk());
    EXPECT_THAT(unet_weights_.Finish(), IsOk());
  }

  at::Tensor Tensor(const std::string& name) const {
    return *tensors_->Read(name, {.dtype = at::kFloat});
  }
  const T2IAdapter& adapter() const { return adapter_; }

  // What the U-Net predicts with the adapter at that weight.
  at::Tensor Steered(double weight) const {
    const at::Tensor text = Tensor("text");
    const PreparedRef hints =
        *adapter_.Prepare({.tokens = text, .image = Tensor("hint")});
    Prepared prepared = **unet_.Prepare({.tokens = text});
    prepared.controls = {
        {.first_row = 0,
         .rows = 2,
         .residuals =
             Weighted(Steer(adapter_, Tensor("sample"), {37, 37}, *hints),
                      weight, /*fading=*/false)}};
    return Predict(unet_, Tensor("sample"), {37, 37}, prepared);
  }

 private:
  const std::string folder_;
  const std::shared_ptr<const SafetensorsFile> tensors_;
  const Weights unet_weights_, weights_;
  const UNet2DConditionModel unet_;
  const T2IAdapter adapter_;
};

class T2IAdapterTest : public ::testing::TestWithParam<const char*> {
 protected:
  c10::InferenceMode inference_;
};

TEST_P(T2IAdapterTest, SteersAsTheReference) {
  const Golden golden(GetParam());
  EXPECT_THAT(golden.Steered(0.7), TensorNear(golden.Tensor("out"), 2e-4));
  EXPECT_THAT(golden.Steered(0.5),
              ::testing::Not(TensorNear(golden.Tensor("out"), 2e-4)));
}

TEST_P(T2IAdapterTest, NamesHintsThatItCannotSee) {
  const Golden golden(GetParam());
  for (const at::Tensor& hint :
       {at::Tensor(), at::rand({1, 4, 64, 64}), at::rand({1, 3, 60, 64})}) {
    EXPECT_THAT(golden.adapter()
                    .Prepare({.tokens = golden.Tensor("text"), .image = hint})
                    .status(),
                StatusIs(absl::StatusCode::kInvalidArgument, "T2I-Adapter"));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, T2IAdapterTest,
                         ::testing::Values("full_adapter", "light_adapter",
                                           "full_adapter_xl"));

}  // namespace
}  // namespace genzo
