#include "worker/residency/lora_library.h"

#include <filesystem>
#include <limits>

#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tiny_lora.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

class LoraLibraryTest : public ::testing::Test {
 protected:
  v1::Lora Listed(const std::string& name) const {
    for (const v1::Lora& lora : catalog_.List()) {
      if (lora.name() == name) return lora;
    }
    return {};
  }
  // With nobody looking but the test.
  LoraLibrary Open() {
    return LoraLibrary({folder_.path()}, catalog_, absl::InfiniteDuration());
  }

  c10::InferenceMode inference_;
  const TestFolder folder_;
  LoraCatalog catalog_;
};

TEST_F(LoraLibraryTest, FilesAreListedWithFamilyAndRank) {
  WriteLora(folder_, "ink", TinyLora(/*rank=*/3));
  const LoraLibrary library = Open();
  const v1::Lora lora = Listed("ink");
  EXPECT_EQ(lora.rank(), 3u);
  EXPECT_EQ(lora.family(), "sd1");
  EXPECT_GT(lora.file_bytes(), 1000u);
  EXPECT_FALSE(lora.has_error());
  EXPECT_THAT(library.Find("ink"), IsOk());
  EXPECT_THAT(library.Find("../ink"),
              StatusIs(absl::StatusCode::kNotFound, "../ink"));
}

TEST_F(LoraLibraryTest, WhatFitsAModelIsKnownOnceItWasLoaded) {
  WriteLora(folder_, "ink", TinyLora(/*rank=*/2));
  FixedTensors other;
  other.Add("lora_unet_conv_in.lora_down.weight", at::randn({2, 9, 3, 3}));
  other.Add("lora_unet_conv_in.lora_up.weight", at::randn({16, 2, 1, 1}));
  WriteLora(folder_, "other", other);
  LoraLibrary library = Open();
  EXPECT_THAT(catalog_.Check("other", "tiny"), IsOk());  // nobody knows yet
  const auto model = LoadPipeline(TinyModelFolder(), Placement());
  ASSERT_THAT(model, IsOk());
  library.AddModel("tiny", (*model)->adapter_targets());
  library.Look();
  EXPECT_THAT(catalog_.Check("ink", "tiny"), IsOk());
  EXPECT_THAT(catalog_.Check("other", "tiny"),
              StatusIs(kInvalid, "does not fit model \"tiny\""));
  ASSERT_EQ(catalog_.List("tiny").size(), 1u);
  EXPECT_EQ(catalog_.List("tiny")[0].models(0), "tiny");
  const v1::Lora misfit = Listed("other");
  ASSERT_EQ(misfit.misfits_size(), 1);
  EXPECT_EQ(misfit.misfits(0).model(), "tiny");
  EXPECT_THAT(misfit.misfits(0).message(),
              ::testing::HasSubstr("lora_unet_conv_in"));
}

TEST_F(LoraLibraryTest, WhatItChangesInAModelIsKnownWithThat) {
  WriteLora(folder_, "ink", TinyLora(/*rank=*/2));
  LoraLibrary library = Open();
  const auto model = LoadPipeline(TinyModelFolder(), Placement());
  ASSERT_THAT(model, IsOk());
  library.AddModel("tiny", (*model)->adapter_targets());
  library.Look();
  v1::LoraUse lora;
  lora.set_name("ink");
  lora.set_text_encoder_weight(0);
  v1::LoraBlockWeight& block = *lora.add_block_weights();
  block.set_block("down_blocks");
  EXPECT_THAT(catalog_.CheckBlocks(lora, "tiny"),
              StatusIs(kInvalid, "leave nothing of it"));
  lora.set_text_encoder_weight(1);
  EXPECT_THAT(catalog_.CheckBlocks(lora, "tiny"), IsOk());
  block.set_block("conv_in");  // the model's, but not this file's
  EXPECT_THAT(catalog_.CheckBlocks(lora, "tiny"),
              StatusIs(kInvalid, "name no layer that it changes"));
}

TEST_F(LoraLibraryTest, TellsOfTensorsThatAreNotRead) {
  FixedTensors more = TinyLora(2);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    more.Add(absl::StrCat("lora_unet_x.", name, "_norm"), at::zeros({1}));
  }
  WriteLora(folder_, "ink", more);
  LoraLibrary library = Open();
  EXPECT_EQ(Listed("ink").unread_tensors_size(), 5) << "the first few";
  EXPECT_EQ(Listed("ink").unread_tensors(0), "lora_unet_x.a_norm");
}

TEST_F(LoraLibraryTest, HostileFilesAreListedWithWhatIsWrong) {
  folder_.Write(
      "cut.safetensors",
      ReadFile(WriteLora(folder_, "ink", TinyLora(2))).substr(0, 2000));
  folder_.Write("text.safetensors", "hello");
  FixedTensors none;
  none.Add("conv_in.weight", at::randn({2, 2}));
  WriteLora(folder_, "none", none);
  FixedTensors turned = TinyLora(2);
  turned.Add("oft_unet_x.oft_blocks", at::zeros({2, 4, 4}));
  WriteLora(folder_, "turned", turned);
  FixedTensors steep;
  steep.Add("lora_unet_x.lora_down.weight", at::zeros({1'000'000, 1}));
  steep.Add("lora_unet_x.lora_up.weight", at::zeros({1, 1}));
  WriteLora(folder_, "steep", steep);
  FixedTensors nan = TinyLora(2);
  nan.Add("lora_unet_x.lora_up.weight",
          at::zeros({1, 1}) + std::numeric_limits<double>::quiet_NaN());
  WriteLora(folder_, "nan", nan);
  LoraLibrary library = Open();
  library.Look();
  for (const auto& [name, why] :
       std::vector<std::pair<std::string, std::string>>{
           {"cut", ""},
           {"text", ""},
           {"none", "is no adapter"},
           {"turned", "oft_unet_x.oft_blocks\" is of OFT"},
           {"steep", "rank 1000000 is not between 1 and 4096"},
           {"nan", "lora_unet_x.lora_up.weight"}}) {
    EXPECT_THAT(catalog_.Check(name, "tiny"), StatusIs(kInvalid, why)) << name;
    EXPECT_THAT(library.Find(name).status(), StatusIs(kInvalid, why));
    // Not where the server keeps it.
    EXPECT_EQ(Listed(name).error().message().find(folder_.path()),
              std::string::npos);
  }
  EXPECT_THAT(catalog_.Check("ink", "tiny"), IsOk());
}

TEST_F(LoraLibraryTest, FilesComeChangeAndGo) {
  LoraLibrary library = Open();
  EXPECT_TRUE(catalog_.List().empty());
  const std::string path = WriteLora(folder_, "ink", TinyLora(/*rank=*/2));
  library.Look();
  const std::string before = library.Find("ink")->id;
  WriteLora(folder_, "ink", TinyLora(/*rank=*/5));
  library.Look();
  EXPECT_EQ(Listed("ink").rank(), 5u);
  EXPECT_NE(library.Find("ink")->id, before);
  std::filesystem::remove(path);
  library.Look();
  EXPECT_TRUE(catalog_.List().empty());
}

}  // namespace
}  // namespace genzo
