#include "worker/upscale/enlargement.h"

#include "ATen/ops/full.h"
#include "ATen/ops/rand.h"
#include "absl/strings/str_cat.h"
#include "base/upscaler_catalog.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/upscale/random_upscalers.h"
#include "worker/upscale/resize.h"
#include "worker/upscale/upscaler_folders.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kPlenty = int64_t{1} << 32;

class EnlargementTest : public ::testing::Test {
 protected:
  // A network of scale 4 in the folder.
  void Write(const std::string& name) const {
    RandomRrdbNet({}).Write(folder_.path(), name);
  }
  std::vector<std::string> Found() const {
    UpscalerCatalog catalog;
    const UpscalerFolders folders({folder_.path()}, catalog);
    std::vector<std::string> names;
    for (const v1::Upscaler& upscaler : catalog.List()) {
      names.push_back(upscaler.name());
    }
    return names;
  }

  const c10::InferenceMode inference_;
  const TestFolder folder_;
};

TEST_F(EnlargementTest, WhatStandsOverIsCutOffEvenly) {
  const at::Tensor picture = at::rand({1, 3, 10, 20});
  EXPECT_THAT(CropToProportions(picture, {5, 5}),
              TensorEquals(picture.narrow(3, 5, 10)));
  EXPECT_THAT(CropToProportions(picture, {40, 10}),
              TensorEquals(picture.narrow(2, 2, 5)));
}

TEST_F(EnlargementTest, APictureOfTheSameProportionsStaysWhole) {
  const at::Tensor picture = at::rand({1, 3, 7, 21});
  EXPECT_THAT(CropToProportions(picture, {300, 100}), TensorEquals(picture));
}

TEST_F(EnlargementTest, ACutLeavesAPixelAtLeast) {
  const at::Tensor picture = at::rand({1, 3, 2, 2});
  EXPECT_EQ(CropToProportions(picture, {1, 8192}).sizes(),
            at::IntArrayRef({1, 3, 2, 1}));
  EXPECT_EQ(CropToProportions(picture, {8192, 1}).sizes(),
            at::IntArrayRef({1, 3, 1, 2}));
}

TEST_F(EnlargementTest, AFilterAloneIsFinishedAtOnce) {
  const at::Tensor pixels = at::rand({1, 3, 8, 8});
  const Enlargement enlargement(nullptr, pixels,
                                {.passes = {}, .result = {8, 8}}, kPlenty);
  EXPECT_TRUE(enlargement.finished());
  EXPECT_THAT(enlargement.result(), TensorNear(pixels, 1e-6));
}

TEST_F(EnlargementTest, AFilterNeverLeavesTheRangeOfPixels) {
  at::Tensor pixels = at::full({1, 3, 8, 8}, 0.0f);
  pixels.narrow(3, 4, 4).fill_(1);
  Enlargement enlargement(nullptr, pixels, {.passes = {}, .result = {24, 24}},
                          kPlenty);
  while (!enlargement.finished()) enlargement.Step();
  EXPECT_EQ(enlargement.result().min().item<float>(), 0);
  EXPECT_EQ(enlargement.result().max().item<float>(), 1)
      << "though its lobes overshoot";
}

TEST_F(EnlargementTest, ItsTilesAreCountedOverAllPasses) {
  Write("a.safetensors");
  UpscalerCatalog catalog;
  const UpscalerFolders folders({folder_.path()}, catalog);
  LoadedUpscalers loaded(catalog, at::kCPU);
  const auto a = loaded.Get("a");
  ASSERT_THAT(a, IsOk());
  Enlargement enlargement(a->network, at::rand({1, 3, 5, 6}),
                          {.passes = {{24, 20}, {96, 80}}, .result = {50, 40}},
                          /*memory_bytes=*/1);
  const int tiles = enlargement.tiles();
  EXPECT_GE(tiles, 2) << "one a pass";
  for (int i = 0; i < tiles; ++i) {
    EXPECT_FALSE(enlargement.finished());
    enlargement.Step();
  }
  EXPECT_TRUE(enlargement.finished());
  EXPECT_EQ(enlargement.result().sizes(), at::IntArrayRef({1, 3, 40, 50}));
  enlargement.Step();
  EXPECT_EQ(enlargement.tiles_done(), tiles) << "no step too many";
}

// So that who waits is asked in between, whether anybody still does.
TEST_F(EnlargementTest, TheFilterGoesInBands) {
  Enlargement enlargement(nullptr, at::rand({1, 3, 8, 8}),
                          {.passes = {}, .result = {4, 1000}}, kPlenty);
  EXPECT_GE(enlargement.tiles(), 7);
  enlargement.Step();
  EXPECT_FALSE(enlargement.finished());
}

TEST_F(EnlargementTest, OneColourStaysThatColourInAnySize) {
  const at::Tensor pixels = at::full({1, 3, 5, 7}, 0.25f);
  for (const auto& [height, width] :
       {std::pair(1, 1), std::pair(2, 19), std::pair(50, 3)}) {
    EXPECT_THAT(ResizeLanczos(pixels, height, width),
                TensorNear(at::full({1, 3, height, width}, 0.25f), 1e-6));
  }
}

TEST_F(EnlargementTest, AMirroredPictureBecomesAMirroredResult) {
  const at::Tensor pixels = at::rand({1, 3, 9, 13});
  EXPECT_THAT(ResizeLanczos(pixels.flip(3), 5, 30),
              TensorNear(ResizeLanczos(pixels, 5, 30).flip(3), 1e-5));
}

TEST_F(EnlargementTest, FilesOfAFolderAreCalledByTheirNames) {
  Write("Ultra Sharp.safetensors");
  EXPECT_THAT(Found(), ElementsAre("lanczos", "ultra-sharp"));
}

TEST_F(EnlargementTest, WhatIsNoUpscalerIsLeftOut) {
  folder_.Write("readme.txt", "x");
  folder_.Write("broken.safetensors", "x");
  folder_.Write("pickled.pth", "x");
  EXPECT_THAT(Found(), ElementsAre("lanczos"));
}

TEST_F(EnlargementTest, AFolderThatIsNotThereHasNone) {
  UpscalerCatalog catalog;
  const UpscalerFolders folders({folder_.path() + "/none"}, catalog);
  EXPECT_EQ(catalog.List().size(), 1u);
}

TEST_F(EnlargementTest, AFilterHasNoNetwork) {
  const UpscalerCatalog catalog;
  LoadedUpscalers loaded(catalog, at::kCPU);
  EXPECT_EQ(loaded.Get("lanczos")->network, nullptr);
  EXPECT_THAT(loaded.Get("ultra"),
              StatusIs(absl::StatusCode::kNotFound, "\"ultra\" is not"));
}

TEST_F(EnlargementTest, TheTwoThatWereUsedLastStayInMemory) {
  for (const char* name : {"a", "b", "c"}) {
    Write(absl::StrCat(name, ".safetensors"));
  }
  UpscalerCatalog catalog;
  const UpscalerFolders folders({folder_.path()}, catalog);
  LoadedUpscalers loaded(catalog, at::kCPU);
  const std::weak_ptr<const Upscaler> a = loaded.Get("a")->network;
  const std::weak_ptr<const Upscaler> b = loaded.Get("b")->network;
  EXPECT_EQ(loaded.Get("a")->network, a.lock());
  ASSERT_THAT(loaded.Get("c"), IsOk());
  EXPECT_FALSE(a.expired()) << "used after b";
  EXPECT_TRUE(b.expired());
}

}  // namespace
}  // namespace genzo
