#include "worker/weights/single_file/control_file.h"

#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_control.h"
#include "worker/weights/single_file/original_names.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

// What the original code calls a tensor of a control network beside its U-Net;
// "" for one of the U-Net.
std::string OriginalName(const std::string& name) {
  const std::string embedding = "controlnet_cond_embedding.";
  for (int i = 0; i < 6; ++i) {
    const std::string block = absl::StrCat(embedding, "blocks.", i, ".");
    if (absl::StartsWith(name, block)) {
      return absl::StrCat("input_hint_block.", 2 * i + 2, ".",
                          name.substr(block.size()));
    }
  }
  const std::pair<std::string, std::string> others[] = {
      {embedding + "conv_in.", "input_hint_block.0."},
      {embedding + "conv_out.", "input_hint_block.14."},
      {"controlnet_mid_block.", "middle_block_out.0."}};
  for (const auto& [ours, theirs] : others) {
    if (absl::StartsWith(name, ours)) return theirs + name.substr(ours.size());
  }
  const std::string skip = "controlnet_down_blocks.";
  if (!absl::StartsWith(name, skip)) return "";
  const std::string rest = name.substr(skip.size());
  const size_t dot = rest.find('.');
  return absl::StrCat("zero_convs.", rest.substr(0, dot), ".0",
                      rest.substr(dot));
}

class ControlFileTest : public ::testing::Test {
 protected:
  ControlFileTest()
      : tensors_(TinyControlTensors(TinyModelFolder() + "/unet", 1)) {}

  // The network under the names of the original code.
  NamedTensors Original() const {
    const auto file = *OpenTensorFile(
        folder_.Write("all.safetensors", TensorsFile(tensors_)));
    NamedTensors original;
    for (const auto& [name, recipe] : ToOriginal(
             UNetNames(file->entries()), file->entries(), "control_model.")) {
      const std::string& ours = recipe.pieces[0].name;
      const std::string theirs = OriginalName(ours);
      original[theirs.empty() ? name : "control_model." + theirs] =
          tensors_.at(ours);
    }
    return original;
  }

  void ExpectAllTensorsIn(const ControlFile& file) {
    const auto read = file.files.OpenTensors();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ((*read)->entries().size(), tensors_.size());
    for (const auto& [name, tensor] : tensors_) {
      const auto value = (*read)->Read(name);
      ASSERT_THAT(value, IsOk()) << name;
      EXPECT_THAT(*value, TensorEquals(tensor.to(at::kFloat))) << name;
    }
  }

  const TestFolder folder_;
  const NamedTensors tensors_;
};

TEST_F(ControlFileTest, ReadsTheNamesOfTheOriginalCode) {
  const auto file = OpenControlFile(
      folder_.Write("original.safetensors", TensorsFile(Original())));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->class_name, "ControlNetModel");
  ExpectAllTensorsIn(*file);
}

TEST_F(ControlFileTest, DerivesAConfigurationOrReadsTheOneBeside) {
  const std::string path =
      folder_.Write("plain.safetensors", TensorsFile(tensors_));
  auto file = OpenControlFile(path);
  ASSERT_THAT(file, IsOk());
  ExpectAllTensorsIn(*file);
  const auto config = [&] {
    return nlohmann::json::parse(
        *file->files.At("config.json").Read(/*max_bytes=*/1 << 20));
  };
  const nlohmann::json own = TinyControlConfig(TinyModelFolder() + "/unet");
  for (const char* key :
       {"block_out_channels", "cross_attention_dim", "layers_per_block",
        "conditioning_embedding_out_channels", "down_block_types"}) {
    EXPECT_EQ(config()[key], own[key]) << key;
  }
  folder_.Write("plain.json", own.dump());
  file = OpenControlFile(path);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(config(), own);
}

TEST_F(ControlFileTest, NamesWhatIsNoControlNetwork) {
  const std::string unet =
      TinyModelFolder() + "/unet/diffusion_pytorch_model.safetensors";
  EXPECT_THAT(OpenControlFile(unet),
              StatusIs(absl::StatusCode::kUnimplemented, "no control network"));
  EXPECT_THAT(OpenControlFile(TinyModelFolder() + "/unet"),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "UNet2DConditionModel is not one of"));
  EXPECT_THAT(OpenControlFile(folder_.path() + "/none.safetensors"),
              StatusIs(absl::StatusCode::kNotFound, "none.safetensors"));
}

}  // namespace
}  // namespace genzo
