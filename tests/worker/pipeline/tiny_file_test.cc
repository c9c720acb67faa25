#include "worker/weights/single_file/tiny_file.h"

#include <string>

#include "ATen/ops/linspace.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_sd3.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

constexpr char kTinyWeights[] = "/diffusion_pytorch_model.safetensors";

std::string TinyVaeFolder() { return SourcePath("tests/data/tiny_vae"); }

// The committed small decoder, for 16 channels if `wide`.
NamedTensors SmallDecoder(bool wide) {
  NamedTensors tensors = ReadTensors(TinyVaeFolder() + kTinyWeights);
  if (wide) tensors["decoder.layers.0.weight"] = Ripple({8, 16, 3, 3});
  return tensors;
}

// Under the names of the author's code, which counts one layer more.
NamedTensors AuthorsNames(const NamedTensors& tensors,
                          const std::string& prefix) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : tensors) {
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, "decoder.layers.")) continue;
    const size_t end = rest.find('.');
    const int layer = std::stoi(std::string(rest.substr(0, end)));
    renamed[absl::StrCat(prefix, layer + 1, rest.substr(end))] = tensor;
  }
  return renamed;
}

// A folder of it as diffusers writes it.
std::string WriteTinyFolder(const TestFolder& folder, bool wide) {
  nlohmann::json config =
      nlohmann::json::parse(ReadFile(TinyVaeFolder() + "/config.json"));
  config["latent_channels"] = wide ? 16 : 4;
  folder.Write("tiny/config.json", config.dump());
  folder.Write(std::string("tiny") + kTinyWeights,
               TensorsFile(SmallDecoder(wide)));
  return folder.path() + "/tiny";
}

// What the model in `model` previews by the decoder in `tiny`.
at::Tensor PreviewBy(const std::string& model, const std::string& tiny) {
  ModelFiles files(model);
  files.parts = {{"tiny_vae", tiny}};
  const auto pipeline = LoadPipeline(files, Placement());
  EXPECT_THAT(pipeline, IsOk()) << tiny;
  if (!pipeline.ok()) return {};
  EXPECT_EQ(PipelineWeightBytes(files, Placement())->all,
            (*pipeline)->weight_bytes());
  const LatentCodec& codec = (*pipeline)->codec();
  EXPECT_TRUE(codec.has_tiny());
  const int64_t channels = codec.latent_channels();
  return codec.Preview(
      at::linspace(-4, 4, channels * 24).view({1, channels, 6, 4}),
      PreviewKind::kTiny);
}

TEST(TinyFileTest, AFileDecodesAsTheFolder) {
  const TestFolder folder;
  const at::Tensor expected =
      PreviewBy(TinyModelFolder(), WriteTinyFolder(folder, /*wide=*/false));
  EXPECT_EQ(expected.sizes(), at::IntArrayRef({1, 3, 48, 32}));
  for (const char* prefix : {"", "decoder.", "taesd_decoder."}) {
    NamedTensors tensors = AuthorsNames(SmallDecoder(/*wide=*/false), prefix);
    tensors["taesd_encoder.0.weight"] = Ripple({8, 3, 3, 3});
    if (std::string(prefix).empty()) tensors.erase("taesd_encoder.0.weight");
    const std::string file =
        folder.Write("taesd_decoder.safetensors", TensorsFile(tensors));
    EXPECT_THAT(PreviewBy(TinyModelFolder(), file), TensorEquals(expected))
        << prefix;
  }
  EXPECT_THAT(PreviewBy(TinyModelFolder(), TinyVaeFolder() + kTinyWeights),
              TensorEquals(expected))
      << "diffusers' names, with the encoder";
}

// TAESD3 and TAEF1 take latents as the denoiser has them, unshifted.
TEST(TinyFileTest, DecodersOfSixteenChannelsAreThoseOfSd3AndFlux) {
  const TestFolder folder;
  const TestFolder sd3;
  const std::string file = folder.Write(
      "taef1_decoder.safetensors",
      TensorsFile(AuthorsNames(SmallDecoder(/*wide=*/true), /*prefix=*/"")));
  const std::string tiny = WriteTinyFolder(folder, /*wide=*/true);
  const at::Tensor of_flux = PreviewBy(TinyFluxFolder(), tiny);
  EXPECT_EQ(of_flux.sizes(), at::IntArrayRef({1, 3, 48, 32}));
  EXPECT_THAT(PreviewBy(TinyFluxFolder(), file), TensorEquals(of_flux));
  EXPECT_THAT(PreviewBy(WriteTinySd3(sd3), file), TensorEquals(of_flux));
}

TEST(TinyFileTest, WhatDoesNotFitIsNamed) {
  const TestFolder folder;
  const std::string narrow = folder.Write(
      "taesd_decoder.safetensors",
      TensorsFile(AuthorsNames(SmallDecoder(/*wide=*/false), /*prefix=*/"")));
  ModelFiles files(TinyFluxFolder());
  files.parts = {{"tiny_vae", narrow}};
  EXPECT_THAT(LoadPipeline(files, Placement()).status(),
              StatusIs(kInvalid,
                       "taesd_decoder.safetensors: latent_channels "
                       "4 and upsampling 8 are not"));
  const std::string encoder =
      folder.Write("taesd_encoder.safetensors",
                   TensorsFile({{"0.weight", Ripple({8, 3, 3, 3})}}));
  EXPECT_THAT(
      OpenTinyDecoder(encoder).status(),
      StatusIs(kInvalid, "taesd_encoder.safetensors: holds no decoder"));
  // The last convolution is missing: the shape is another.
  NamedTensors cut = AuthorsNames(SmallDecoder(/*wide=*/false), /*prefix=*/"");
  ASSERT_EQ(cut.erase("13.weight"), 1u);
  files = ModelFiles(TinyModelFolder());
  files.parts = {
      {"tiny_vae", folder.Write("cut.safetensors", TensorsFile(cut))}};
  EXPECT_THAT(LoadPipeline(files, Placement()).status(),
              StatusIs(absl::StatusCode::kNotFound,
                       "tensor \"decoder.layers.12.weight\" is missing"));
}

}  // namespace
}  // namespace genzo
