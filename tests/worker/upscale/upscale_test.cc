#include <filesystem>
#include <functional>
#include <map>

#include "ATen/ops/arange.h"
#include "ATen/ops/full.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/tools/tool/torch_archive.h"
#include "tests/worker/upscale/random_upscalers.h"
#include "worker/device/thread_count.h"
#include "worker/upscale/resize.h"
#include "worker/upscale/tiled_upscale.h"
#include "worker/upscale/upscaler.h"
#include "worker/upscale/upscaler_folders.h"

namespace genzo {
namespace {

at::Tensor Upscaled(const Upscaler& upscaler, const at::Tensor& pixels,
                    const TilePlan& plan) {
  TiledUpscale upscale(upscaler, pixels, plan);
  while (!upscale.finished()) upscale.Step();
  return upscale.result();
}

at::Tensor RunWhole(const Upscaler& upscaler, const at::Tensor& pixels) {
  return Upscaled(upscaler, pixels,
                  PlanTiles(pixels.size(3), pixels.size(2), upscaler.traits(),
                            int64_t{1} << 32));
}

// The names of BasicSR, as ESRGAN and the first ESRGAN have them.
std::string EsrganName(const std::string& name) {
  return absl::StrReplaceAll(name, {{"conv_body", "trunk_conv"},
                                    {"body.", "RRDB_trunk."},
                                    {".rdb", ".RDB"},
                                    {"conv_up", "upconv"},
                                    {"conv_hr", "HRconv"}});
}

std::string FirstEsrganName(const std::string& name) {
  return absl::StrReplaceAll(name, {{"conv_first", "model.0"},
                                    {"conv_body", "model.1.sub.2"},
                                    {"body.", "model.1.sub."},
                                    {".rdb", ".RDB"},
                                    {"conv1.", "conv1.0."},
                                    {"conv2.", "conv2.0."},
                                    {"conv3.", "conv3.0."},
                                    {"conv4.", "conv4.0."},
                                    {"conv5.", "conv5.0."},
                                    {"conv_up1", "model.3"},
                                    {"conv_up2", "model.6"},
                                    {"conv_hr", "model.8"},
                                    {"conv_last", "model.10"}});
}

class UpscaleTest : public ::testing::Test {
 protected:
  std::unique_ptr<const Upscaler> Load(const RandomTensors& tensors,
                                       const std::string& name = "x") const {
    tensors.Write(folder_.path(), name + ".safetensors");
    auto loaded = LoadUpscaler(
        absl::StrCat(folder_.path(), "/", name, ".safetensors"), at::kCPU);
    EXPECT_THAT(loaded, IsOk());
    return *std::move(loaded);
  }

  const c10::InferenceMode inference_;
  const TestFolder folder_;
};

TEST_F(UpscaleTest, KnowsTheNamesThatArePublished) {
  const at::Tensor pixels = at::rand({1, 3, 9, 11});
  const at::Tensor expected = RunWhole(*Load(RandomRrdbNet({})), pixels);
  EXPECT_EQ(expected.sizes(), at::IntArrayRef({1, 3, 36, 44}));
  const std::map<std::string, std::function<std::string(std::string)>> styles =
      {{"esrgan", EsrganName},
       {"first", FirstEsrganName},
       {"ema", [](const std::string& name) { return "params_ema." + name; }}};
  for (const auto& [style, rename] : styles) {
    EXPECT_THAT(
        RunWhole(*Load(RandomRrdbNet({.rename = rename}), style), pixels),
        TensorEquals(expected))
        << style;
  }
}

TEST_F(UpscaleTest, ReadsWhatTorchSaveWrites) {
  const RandomTensors tensors = RandomCompactNet({.convolutions = 0});
  std::map<std::string, std::string> entries;
  PickleBuilder pickle;
  pickle.Raw(std::string("\x80\x02}")).Text("params").Raw("}");
  int key = 0;
  for (const auto& [name, entry] : tensors.entries()) {
    std::vector<int32_t> shape(entry.shape.begin(), entry.shape.end());
    std::vector<int32_t> strides(shape.size(), 1);
    for (size_t i = shape.size() - 1; i > 0; --i) {
      strides[i - 1] = strides[i] * shape[i];
    }
    const std::string storage = absl::StrCat(key++);
    pickle.Text(name)
        .Tensor(storage, static_cast<int32_t>(entry.elements()), 0, shape,
                strides)
        .Raw("s");
    const at::Tensor values = *tensors.Read(name, {});
    entries["x/data/" + storage] = std::string(
        static_cast<const char*>(values.const_data_ptr()), values.nbytes());
  }
  entries["x/data.pkl"] = pickle.Raw("s.").bytes();
  const std::string path = folder_.path() + "/x.pth";
  WriteArchive(path, entries);
  const auto loaded = LoadUpscaler(path, at::kCPU);
  ASSERT_THAT(loaded, IsOk());
  const at::Tensor pixels = at::rand({1, 3, 5, 4});
  EXPECT_THAT(RunWhole(**loaded, pixels),
              TensorEquals(RunWhole(*Load(tensors), pixels)));
}

TEST_F(UpscaleTest, TakesPicturesOfAnySize) {
  const auto twice = Load(RandomRrdbNet({.unshuffle = 2}));
  EXPECT_EQ(twice->traits().scale, 2);
  for (const auto& [height, width] :
       {std::pair(1, 1), std::pair(3, 2), std::pair(5, 9)}) {
    EXPECT_EQ(RunWhole(*twice, at::rand({1, 3, height, width})).sizes(),
              at::IntArrayRef({1, 3, 2 * height, 2 * width}));
  }
}

// What neighbours do not see of each other would be a seam: without overlap it
// is far over the bound.
TEST_F(UpscaleTest, TilesLeaveNoSeams) {
  const at::Tensor pixels = at::rand({1, 3, 75, 98});
  const auto compact = Load(RandomCompactNet({}), "compact");
  const auto four = Load(RandomRrdbNet({}), "four");
  const auto two = Load(RandomRrdbNet({.unshuffle = 2}), "two");
  for (const Upscaler* upscaler : {compact.get(), four.get(), two.get()}) {
    const TilePlan plan = PlanTiles(98, 75, upscaler->traits(), /*bytes=*/1);
    const at::Tensor whole = RunWhole(*upscaler, pixels);
    EXPECT_THAT(Upscaled(*upscaler, pixels, plan), TensorNear(whole, 1e-4));
    const at::Tensor bare =
        Upscaled(*upscaler, pixels, {plan.tile_width, plan.tile_height, 0});
    EXPECT_THAT(bare, ::testing::Not(TensorNear(whole, 1e-2)));
  }
  // A network that reaches less far than tiles overlap has exactly none.
  EXPECT_THAT(
      Upscaled(*compact, pixels, PlanTiles(98, 75, compact->traits(), 1)),
      TensorNear(RunWhole(*compact, pixels), 1e-6));
}

TEST_F(UpscaleTest, BitsDoNotDependOnThreads) {
  const auto upscaler = Load(RandomRrdbNet({}));
  const at::Tensor pixels = at::rand({1, 3, 40, 48});
  const auto on = [&](int threads) {
    const ScopedThreads scoped(threads);
    return RunWhole(*upscaler, pixels);
  };
  EXPECT_THAT(on(2), TensorEquals(on(1)));
}

TEST_F(UpscaleTest, OtherFilesAreNamed) {
  RandomTensors other;
  other.Add("weight", {2, 2});
  other.Write(folder_.path(), "other.safetensors");
  EXPECT_THAT(LoadUpscaler(folder_.path() + "/other.safetensors", at::kCPU),
              StatusIs(absl::StatusCode::kUnimplemented, "other.safetensors"));
  RandomTensors more = RandomRrdbNet({});
  more.Add("body.0.conv1x1.weight", {4, 8, 1, 1});  // ESRGAN+ has it
  more.Write(folder_.path(), "more.safetensors");
  EXPECT_THAT(LoadUpscaler(folder_.path() + "/more.safetensors", at::kCPU),
              StatusIs(absl::StatusCode::kInvalidArgument, "conv1x1"));
  EXPECT_THAT(LoadUpscaler(folder_.path() + "/none.pth", at::kCPU),
              StatusIs(absl::StatusCode::kInvalidArgument, "none.pth"));
}

std::vector<std::string> NamesIn(const UpscalerCatalog& catalog) {
  std::vector<std::string> names;
  for (const v1::Upscaler& known : catalog.List()) {
    names.push_back(known.name());
  }
  return names;
}

TEST_F(UpscaleTest, FoldersTellOfWhatComesAndGoes) {
  using ::testing::ElementsAre;
  UpscalerCatalog catalog;
  UpscalerFolders folders({folder_.path()}, catalog);
  EXPECT_THAT(NamesIn(catalog), ElementsAre("lanczos"));
  RandomRrdbNet({}).Write(folder_.path(), "New x4.safetensors");
  folders.Look();
  EXPECT_THAT(NamesIn(catalog), ElementsAre("lanczos", "new-x4"));
  LoadedUpscalers loaded(catalog, at::kCPU);
  const auto four = loaded.Get("new-x4");
  ASSERT_THAT(four, IsOk());
  EXPECT_EQ(loaded.Get("new-x4")->network, four->network);
  RandomRrdbNet({.unshuffle = 2}).Write(folder_.path(), "New x4.safetensors");
  folders.Look();
  EXPECT_EQ(loaded.Get("new-x4")->upscaler.scale(), 2u) << "another file";
  std::filesystem::remove(folder_.path() + "/New x4.safetensors");
  folders.Look();
  EXPECT_THAT(NamesIn(catalog), ElementsAre("lanczos"));
  EXPECT_THAT(loaded.Get("new-x4").status(),
              StatusIs(absl::StatusCode::kNotFound, "new-x4"));
}

TEST_F(UpscaleTest, AFolderThatCannotBeReadKeepsItsUpscalers) {
  using ::testing::ElementsAre;
  const std::string path = folder_.path() + "/upscalers";
  std::filesystem::create_directory(path);
  RandomRrdbNet({}).Write(path, "New x4.safetensors");
  UpscalerCatalog catalog;
  UpscalerFolders folders({path}, catalog);
  EXPECT_THAT(NamesIn(catalog), ElementsAre("lanczos", "new-x4"));
  std::filesystem::rename(path, path + "-away");
  folder_.Write("upscalers", "no folder: it cannot be read");
  folders.Look();
  EXPECT_THAT(NamesIn(catalog), ElementsAre("lanczos", "new-x4"));
}

TEST(TilePlanTest, KeepsWithinTheMemory) {
  UpscalerTraits traits;
  traits.scale = 4;
  traits.multiple = 4;
  traits.reach = 349;
  traits.bytes_per_pixel = 9216;
  for (const int64_t bytes : {int64_t{100} << 20, int64_t{1} << 30}) {
    const TilePlan plan = PlanTiles(1000, 600, traits, bytes);
    EXPECT_EQ(plan.overlap, kMostOverlap);
    EXPECT_LE((plan.tile_width + 2 * plan.overlap) *
                  (plan.tile_height + 2 * plan.overlap) *
                  traits.bytes_per_pixel,
              bytes);
    EXPECT_EQ(plan.tile_width % traits.multiple, 0);
  }
  const TilePlan whole = PlanTiles(97, 30, traits, int64_t{1} << 30);
  EXPECT_EQ(whole.tile_width, 100);
  EXPECT_EQ(whole.tile_height, 32);
  EXPECT_EQ(whole.overlap, 0);
}

// Expected: Pillow 12's resize((7, 3), LANCZOS) of a float picture.
TEST(ResizeTest, ResizesAsPillow) {
  const at::Tensor ramp = at::arange(20, at::kFloat).view({1, 1, 4, 5});
  const at::Tensor pixels = (ramp * ramp).remainder(17) / 16;
  const at::Tensor expected = at::tensor(
      {0.075628f, 0.035751f, 0.168157f, 0.451910f, 0.525312f, 0.774203f,
       1.001700f, 0.862562f, 0.375691f, 0.189931f, 0.792969f, 1.027712f,
       0.850191f, 0.667711f, 0.481775f, 0.259057f, 0.002641f, 0.066955f,
       0.246462f, 0.329640f, 0.298002f});
  EXPECT_THAT(ResizeLanczos(pixels, 3, 7).flatten(),
              TensorNear(expected, 1e-5));
  EXPECT_THAT(ResizeLanczos(pixels, 4, 5), TensorEquals(pixels));
}

}  // namespace
}  // namespace genzo
