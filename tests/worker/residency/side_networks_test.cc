#include "worker/residency/side_networks.h"

#include "tests/testing/matchers.h"
#include "tests/testing/tiny_control.h"
#include "worker/pipeline/control_networks.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

class SideNetworksTest : public ::testing::Test {
 protected:
  SideNetworksTest() {
    WriteTinyControl(folder_, "nets/canny");
    WriteTinyControl(folder_, "nets/depth", 0.7);
    folder_.Write("nets/notes/readme.txt", "no network");
    folder_.Write("nets/torn.safetensors", "torn");
    folder_.Write("nets/other/config.json", R"({"_class_name":"VQModel"})");
    WriteTinySdxlUNet(folder_, "xl", /*encoders=*/2, /*numbers=*/6);
    WriteTinyControl(folder_, "nets/xl", 1, folder_.path() + "/xl");
    fit_ = *ControlFitAt(folder_.path() + "/nets/canny");
    one_ = *ControlBytes(folder_.path() + "/nets/canny", Placement());
  }

  SideNetworks Make(int64_t budget) {
    left_ = budget;
    return SideNetworks(
        {.controls = {folder_.path() + "/nets", folder_.path() + "/none"},
         .adapters = {}},
        Placement(),
        {.reserve =
             [this](int64_t bytes, bool evicting) {
               evicted_ = evicted_ || evicting;
               if (bytes > left_) {
                 return absl::ResourceExhaustedError("full");
               }
               left_ -= bytes;
               return absl::OkStatus();
             },
         .release = [this](int64_t bytes) { left_ += bytes; }});
  }

  const TestFolder folder_;
  std::string fit_;
  int64_t one_ = 0;  // bytes of a network
  int64_t left_ = 0;
  bool evicted_ = false;
};

TEST_F(SideNetworksTest, NamesThoseThatFit) {
  const SideNetworks networks = Make(0);
  EXPECT_THAT(networks.ControlsFor(fit_), ElementsAre("canny", "depth"));
  EXPECT_THAT(networks.ControlsFor(""), ElementsAre());
  const auto tiny = LoadPipeline(TinyModelFolder(), Placement());
  ASSERT_THAT(tiny, IsOk());
  EXPECT_EQ((*tiny)->traits().control_fit, fit_);
}

TEST_F(SideNetworksTest, RefusesWhatItDoesNotHave) {
  SideNetworks networks = Make(100 * one_);
  for (const char* name : {"", "torn", "other", "../nets/canny", "notes"}) {
    EXPECT_THAT(networks.Control(name, fit_),
                StatusIs(absl::StatusCode::kNotFound, "canny, depth"))
        << name;
  }
  EXPECT_THAT(networks.Control("xl", fit_),
              StatusIs(absl::StatusCode::kInvalidArgument, "another family"));
  EXPECT_EQ(left_, 100 * one_);
}

TEST_F(SideNetworksTest, AFileThatBrokeSinceGivesItsMemoryBack) {
  SideNetworks networks = Make(2 * one_);
  const std::string file = "nets/depth/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(folder_.path() + "/" + file);
  tensors.erase("conv_in.weight");
  folder_.Write(file, TensorsFile(tensors));
  EXPECT_THAT(networks.Control("depth", fit_),
              StatusIs(absl::StatusCode::kFailedPrecondition, "conv_in"));
  EXPECT_EQ(left_, 2 * one_);
}

TEST_F(SideNetworksTest, KeepsWhatItHasReadWhileThereIsRoom) {
  SideNetworks networks = Make(2 * one_);
  const ControlNetwork* canny = networks.Control("canny", fit_)->get();
  EXPECT_EQ(left_, one_);
  ASSERT_THAT(networks.Control("depth", fit_), IsOk());
  EXPECT_EQ(networks.Control("canny", fit_)->get(), canny);
  EXPECT_EQ(left_, 0);
  EXPECT_FALSE(evicted_);
}

TEST_F(SideNetworksTest, TheLongestUnusedLeavesForAnother) {
  SideNetworks networks = Make(one_);
  ASSERT_THAT(networks.Control("canny", fit_), IsOk());
  ASSERT_THAT(networks.Control("depth", fit_), IsOk());
  EXPECT_EQ(left_, 0);
  EXPECT_FALSE(evicted_) << "no model had to go";
  networks.DropIdle();
  EXPECT_EQ(left_, one_);
}

TEST_F(SideNetworksTest, WhatAJobHoldsStays) {
  SideNetworks networks = Make(one_);
  const auto canny = networks.Control("canny", fit_);
  ASSERT_THAT(canny, IsOk());
  EXPECT_THAT(networks.Control("depth", fit_),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_TRUE(evicted_) << "models were asked last";
  networks.DropIdle();
  EXPECT_EQ(left_, 0);
}

}  // namespace
}  // namespace genzo
