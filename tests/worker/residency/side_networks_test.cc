#include "worker/residency/side_networks.h"

#include <filesystem>

#include "tests/testing/fake_spare_memory.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tiny_control.h"
#include "worker/pipeline/control_networks.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

  SideNetworks& Make(int64_t budget) {
    memory_ = std::make_unique<FakeSpareMemory>(budget);
    networks_ = std::make_unique<SideNetworks>(
        SideNetworks::Folders{
            .controls = {folder_.path() + "/nets", folder_.path() + "/none"},
            .adapters = {}},
        Placement(), memory_->memory());
    memory_->Serve(networks_.get());
    return *networks_;
  }
  int64_t left() const { return memory_->left(); }

  const TestFolder folder_;
  std::string fit_;
  int64_t one_ = 0;  // bytes of a network
  std::unique_ptr<FakeSpareMemory> memory_;
  std::unique_ptr<SideNetworks> networks_;
};

TEST_F(SideNetworksTest, NamesThoseThatFit) {
  const SideNetworks& networks = Make(0);
  EXPECT_THAT(networks.ControlsFor(fit_), ElementsAre("canny", "depth"));
  EXPECT_THAT(networks.ControlsFor(""), ElementsAre());
  const auto tiny = LoadPipeline(TinyModelFolder(), Placement());
  ASSERT_THAT(tiny, IsOk());
  EXPECT_EQ((*tiny)->traits().control_fit, fit_);
}

TEST_F(SideNetworksTest, RefusesWhatItDoesNotHave) {
  SideNetworks& networks = Make(100 * one_);
  for (const char* name : {"", "torn", "other", "../nets/canny", "notes"}) {
    EXPECT_THAT(networks.Control(name, fit_),
                StatusIs(absl::StatusCode::kNotFound, "canny, depth"))
        << name;
  }
  EXPECT_THAT(networks.Control("xl", fit_),
              StatusIs(absl::StatusCode::kInvalidArgument, "another family"));
  EXPECT_EQ(left(), 100 * one_);
}

TEST_F(SideNetworksTest, AFileThatBrokeSinceGivesItsMemoryBack) {
  SideNetworks& networks = Make(2 * one_);
  const std::string file = "nets/depth/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(folder_.path() + "/" + file);
  tensors.erase("conv_in.weight");
  folder_.Write(file, TensorsFile(tensors));
  EXPECT_THAT(networks.Control("depth", fit_),
              StatusIs(absl::StatusCode::kFailedPrecondition, "conv_in"));
  EXPECT_EQ(left(), 2 * one_);
}

TEST_F(SideNetworksTest, KeepsWhatItHasReadWhileThereIsRoom) {
  SideNetworks& networks = Make(2 * one_);
  const ControlNetwork* canny = networks.Control("canny", fit_)->get();
  EXPECT_EQ(left(), one_);
  ASSERT_THAT(networks.Control("depth", fit_), IsOk());
  EXPECT_EQ(networks.Control("canny", fit_)->get(), canny);
  EXPECT_EQ(left(), 0);
}

TEST_F(SideNetworksTest, TheLongestUnusedLeavesForAnother) {
  WriteTinyControl(folder_, "nets/pose", 0.3);
  SideNetworks& networks = Make(2 * one_);
  const ControlNetwork* canny = networks.Control("canny", fit_)->get();
  ASSERT_THAT(networks.Control("depth", fit_), IsOk());
  ASSERT_THAT(networks.Control("canny", fit_), IsOk());
  ASSERT_THAT(networks.Control("pose", fit_), IsOk());
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(networks.Control("canny", fit_)->get(), canny) << "it stayed";
}

TEST_F(SideNetworksTest, WhatAJobHoldsStays) {
  SideNetworks& networks = Make(one_);
  const auto canny = networks.Control("canny", fit_);
  ASSERT_THAT(canny, IsOk());
  EXPECT_THAT(networks.Idle(), IsEmpty());
  EXPECT_THAT(networks.Control("depth", fit_),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_EQ(left(), 0);
}

TEST_F(SideNetworksTest, WhatIsUsedAgainIsNotDropped) {
  SideNetworks& networks = Make(one_);
  ASSERT_THAT(networks.Control("canny", fit_), IsOk());
  const int64_t use = networks.Idle()[0].last_used;
  ASSERT_THAT(networks.Control("canny", fit_), IsOk());
  networks.Drop({use});
  EXPECT_EQ(left(), 0);
  networks.Drop({networks.Idle()[0].last_used});
  EXPECT_EQ(left(), one_);
}

TEST_F(SideNetworksTest, SeesWhatComesAndGoes) {
  SideNetworks& networks = Make(2 * one_);
  ASSERT_THAT(networks.Control("canny", fit_), IsOk());
  EXPECT_FALSE(networks.Look()) << "nothing has changed";
  WriteTinyControl(folder_, "nets/pose", 0.3);
  EXPECT_TRUE(networks.Look());
  EXPECT_THAT(networks.ControlsFor(fit_),
              ElementsAre("canny", "depth", "pose"));
  EXPECT_THAT(networks.Control("pose", fit_), IsOk());
  std::filesystem::remove_all(folder_.path() + "/nets/canny");
  EXPECT_TRUE(networks.Look());
  EXPECT_THAT(networks.ControlsFor(fit_), ElementsAre("depth", "pose"));
  EXPECT_THAT(networks.Control("canny", fit_),
              StatusIs(absl::StatusCode::kNotFound, "depth, pose"));
  EXPECT_EQ(left(), one_) << "what is gone leaves memory";
}

TEST_F(SideNetworksTest, ReadsWhatHasChangedAnew) {
  SideNetworks& networks = Make(2 * one_);
  const auto before = networks.Control("canny", fit_);
  ASSERT_THAT(before, IsOk());
  const std::string file = "nets/canny/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(folder_.path() + "/" + file);
  tensors["more"] = tensors.begin()->second;
  folder_.Write(file, TensorsFile(tensors));
  EXPECT_TRUE(networks.Look());
  EXPECT_NE(networks.Control("canny", fit_).value_or(nullptr), *before);
}

}  // namespace
}  // namespace genzo
