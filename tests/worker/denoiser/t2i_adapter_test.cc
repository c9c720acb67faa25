#include "worker/denoiser/t2i_adapter.h"

#include "ATen/ops/rand.h"
#include "c10/core/InferenceMode.h"
#include "nlohmann/json.hpp"
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

  // What the adapter sees in the hint.
  ControlResiduals Features() const {
    const PreparedRef hints =
        *adapter_.Prepare({.tokens = Tensor("text"), .image = Tensor("hint")});
    return Steer(adapter_, Tensor("sample"), {37, 37}, *hints);
  }
  // What the U-Net predicts with them.
  at::Tensor With(const ControlResiduals& residuals) const {
    Prepared prepared = **unet_.Prepare({.tokens = Tensor("text")});
    prepared.controls = {{.first_row = 0, .rows = 2, .residuals = residuals}};
    return Predict(unet_, Tensor("sample"), {37, 37}, prepared);
  }
  at::Tensor Steered(double weight) const {
    return With(Weighted(Features(), weight, /*fading=*/false));
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

TEST(T2IAdapterLevelsTest, OneMoreIsForTheMiddleIfItFitsThere) {
  c10::InferenceMode inference;
  const Golden golden("full_adapter");
  const ControlResiduals features = golden.Features();
  ASSERT_EQ(features.within.size(), 3u);
  ControlResiduals smaller = features;  // as light adapters have it
  smaller.within.push_back(at::rand({2, 8, 1, 1}));
  EXPECT_THAT(golden.With(smaller), TensorEquals(golden.With(features)));
  ControlResiduals fitting = features;
  fitting.within.push_back(at::rand({2, 8, 2, 3}));
  ControlResiduals behind_middle = features;
  behind_middle.late = {fitting.within.back()};
  EXPECT_THAT(golden.With(fitting), TensorEquals(golden.With(behind_middle)));
}

TEST(T2IAdapterLevelsTest, ALevelWithoutAFeatureStaysWhatItIs) {
  c10::InferenceMode inference;
  const Golden golden("full_adapter");
  ControlResiduals features = golden.Features();
  ControlResiduals nothing = features;
  nothing.within[2] = nothing.within[2] * 0;
  features.within.pop_back();
  EXPECT_THAT(golden.With(features), TensorNear(golden.With(nothing), 1e-6));
}

// The features of the kind's file if it had these channels.
absl::StatusOr<T2IAdapterConfig> ReadWith(const std::string& kind,
                                          const std::vector<int64_t>& channels,
                                          const std::string& type) {
  const std::string path =
      SourcePath("tests/data/t2i_adapter/" + kind + "/adapter/config.json");
  nlohmann::json config = nlohmann::json::parse(ReadFile(path));
  config["channels"] = channels;
  config["adapter_type"] = type;
  return ReadT2IAdapterConfig(TextFile("config.json", config.dump()));
}

TEST(T2IAdapterLevelsTest, TakesMoreAndFewerFeaturesThanLevels) {
  EXPECT_THAT(ReadWith("full_adapter", {4, 8}, "full_adapter"), IsOk());
  EXPECT_THAT(ReadWith("full_adapter", {4, 8, 8}, "light_adapter"), IsOk());
  EXPECT_THAT(ReadWith("full_adapter_xl", {4, 8, 8}, "full_adapter_xl"),
              IsOk());
}

TEST(T2IAdapterLevelsTest, NamesWhatCannotBeAdded) {
  EXPECT_THAT(ReadWith("full_adapter", {4, 4, 8}, "full_adapter").status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "features of 4,4,8 channels do not fit"));
  EXPECT_THAT(
      ReadWith("full_adapter", {4, 8, 8, 8}, "full_adapter_xl").status(),
      StatusIs(absl::StatusCode::kInvalidArgument, "level 1"));
  EXPECT_THAT(ReadWith("full_adapter_xl", {4, 8, 8}, "full_adapter").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "level 1"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, T2IAdapterTest,
                         ::testing::Values("full_adapter", "light_adapter",
                                           "full_adapter_xl"));

}  // namespace
}  // namespace genzo
