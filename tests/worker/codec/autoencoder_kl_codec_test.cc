#include "worker/codec/autoencoder_kl_codec.h"

#include <filesystem>
#include <utility>

#include "ATen/ops/full_like.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/tensor_pool.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr char kFactors[] = "model/vae/latent_rgb_factors.json";

// Where a safetensors file's data begins; its header is below 64 KiB.
size_t DataBegin(const std::string& file) {
  return 8 + static_cast<unsigned char>(file[0]) +
         256 * static_cast<unsigned char>(file[1]);
}

class AutoencoderKLCodecTest : public ::testing::Test {
 protected:
  AutoencoderKLCodecTest() : model_(folder_.CopyTinyModel()) {}

  void AddTinyDecoder() const {
    fs::copy(SourcePath("tests/data/tiny_vae"),
             model_ + "/" + AutoencoderKLCodec::kTinyFolder);
  }

  // Playground 2.5's way; of latents that `mean` and `deviation` describe.
  void WriteStatistics(const std::vector<double>& mean,
                       const std::vector<double>& deviation) const {
    nlohmann::json config =
        nlohmann::json::parse(ReadFile(model_ + "/vae/config.json"));
    config["latents_mean"] = mean;
    config["latents_std"] = deviation;
    config["scaling_factor"] = 0.5;
    folder_.Write("model/vae/config.json", config.dump());
  }

  void BecomeSdxl() const {
    nlohmann::json index =
        nlohmann::json::parse(ReadFile(model_ + "/model_index.json"));
    index["_class_name"] = "StableDiffusionXLPipeline";
    folder_.Write("model/model_index.json", index.dump());
  }

  absl::StatusOr<std::shared_ptr<const AutoencoderKLCodec>> Load() const {
    return AutoencoderKLCodec::Load(*ReadModelIndex(model_), Placement());
  }

  const TestFolder folder_;
  const std::string model_;
};

TEST_F(AutoencoderKLCodecTest, NeedsNoMoreThanTheAutoencoder) {
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  EXPECT_FALSE((*codec)->has_tiny());
  const at::Tensor latents = at::randn({2, 4, 3, 5});
  EXPECT_EQ((*codec)->Preview(latents, PreviewKind::kLinear).sizes(),
            at::IntArrayRef({2, 3, 3, 5}));
  EXPECT_EQ((*codec)->Decode(latents).sizes(), at::IntArrayRef({2, 3, 24, 40}));
}

// Also on a CPU, whose layers keep weights of their own making.
TEST_F(AutoencoderKLCodecTest, ModelsOfOnePoolHaveItOnce) {
  const auto pool = std::make_shared<TensorPool>(at::kCPU);
  const std::string other = folder_.path() + "/other";
  fs::create_directory(other);
  fs::create_directory_symlink(model_ + "/vae", other + "/vae");
  fs::copy(model_ + "/model_index.json", other);
  const auto load = [&](const std::string& folder, at::ScalarType dtype) {
    auto index = *ReadModelIndex(folder);
    index.pool = pool;
    return *AutoencoderKLCodec::Load(index, {.dtype = dtype});
  };
  auto first = load(model_, at::kFloat);
  EXPECT_EQ(load(other, at::kFloat), first);
  EXPECT_NE(load(other, at::kBFloat16), first);
  fs::remove(other + "/vae");
  fs::copy(model_ + "/vae", other + "/vae", fs::copy_options::recursive);
  EXPECT_NE(load(other, at::kFloat), first) << "another file";
  AddTinyDecoder();
  EXPECT_TRUE(load(model_, at::kFloat)->has_tiny());
  const std::weak_ptr<const AutoencoderKLCodec> held = first;
  first.reset();
  EXPECT_TRUE(held.expired()) << "the pool holds nothing itself";
}

TEST_F(AutoencoderKLCodecTest, TakesTheSmallDecoderBesideIt) {
  const int64_t without = (*Load())->weight_bytes();
  AddTinyDecoder();
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  EXPECT_TRUE((*codec)->has_tiny());
  EXPECT_GT((*codec)->weight_bytes(), without);
  EXPECT_EQ(
      (*codec)->Preview(at::randn({2, 4, 3, 5}), PreviewKind::kTiny).sizes(),
      at::IntArrayRef({2, 3, 24, 40}));
}

TEST_F(AutoencoderKLCodecTest, EncodesADistributionAndDrawsFromIt) {
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  const LatentDistribution distribution =
      (*codec)->Encode(at::randn({1, 3, 24, 40}).clamp(-1, 1));
  EXPECT_EQ(distribution.mean.sizes(), at::IntArrayRef({1, 4, 3, 5}));
  EXPECT_TRUE((distribution.deviation > 0).all().item<bool>());
  SeededNoise noise(7);
  SeededNoise again(7);
  const at::Tensor drawn = (*codec)->Sample(distribution, noise);
  const double scale = (*codec)->config().scaling_factor;
  EXPECT_THAT(drawn,
              TensorNear((distribution.mean +
                          distribution.deviation * again.Draw({1, 4, 3, 5})) *
                             scale,
                         1e-6));
}

TEST_F(AutoencoderKLCodecTest, RowsTooLargeForTheTypeAreDecodedInFloat32) {
  const auto full = Load();
  const auto half =
      AutoencoderKLCodec::Load(*ReadModelIndex(model_), {.dtype = at::kHalf});
  ASSERT_THAT(half, IsOk());
  at::Tensor latents = at::randn({2, 4, 3, 5});
  const at::Tensor other = (*half)->Decode(latents.narrow(0, 0, 1));
  latents[1].fill_(1e6f);
  const int64_t before = (*half)->weight_bytes();
  const at::Tensor pixels = (*half)->Decode(latents);
  EXPECT_THAT(pixels.narrow(0, 1, 1),
              TensorEquals((*full)->Decode(latents.narrow(0, 1, 1))));
  EXPECT_THAT(pixels.narrow(0, 0, 1), TensorNear(other, 1e-2));
  const int64_t after = (*half)->weight_bytes();
  EXPECT_GT(after, before);
  (*half)->Decode(latents);
  EXPECT_EQ((*half)->weight_bytes(), after) << "kept, not read again";
}

// Its weights are float16's, what the first layers make of them is not; the
// norms behind bring it back.
TEST_F(AutoencoderKLCodecTest, LayersTooLargeForTheTypeAreRunInFloat32) {
  const std::string name = "vae/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(model_ + "/" + name);
  for (const char* layer : {"encoder.conv_in", "decoder.conv_in"}) {
    at::Tensor& weight = tensors.at(absl::StrCat(layer, ".weight"));
    const at::Tensor values = weight.to(at::kFloat);
    weight = values * (6e4 / values.abs().max().item<double>());
  }
  folder_.Write("model/" + name, TensorsFile(tensors));
  const auto full = Load();
  ASSERT_THAT(full, IsOk());
  const auto half =
      AutoencoderKLCodec::Load(*ReadModelIndex(model_), {.dtype = at::kHalf});
  ASSERT_THAT(half, IsOk());
  const at::Tensor latents = at::randn({1, 4, 3, 5});
  EXPECT_THAT((*half)->Decode(latents), TensorEquals((*full)->Decode(latents)));
  EXPECT_THAT((*half)->Preview(latents, PreviewKind::kLinear),
              TensorNear((*full)->Preview(latents, PreviewKind::kLinear), 0.1));
  const at::Tensor pixels = at::randn({1, 3, 24, 40}).clamp(-1, 1);
  const LatentDistribution encoded = (*half)->Encode(pixels);
  const LatentDistribution expected = (*full)->Encode(pixels);
  EXPECT_THAT(encoded.mean, TensorEquals(expected.mean));
  EXPECT_THAT(encoded.deviation, TensorEquals(expected.deviation));
}

TEST_F(AutoencoderKLCodecTest, OneThatMakesNoPictureInAnyTypeIsNamed) {
  const std::string name = "vae/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(model_ + "/" + name);
  at::Tensor& weight = tensors.at("decoder.conv_out.weight");
  weight = at::full_like(weight.to(at::kFloat), 3e38);
  folder_.Write("model/" + name, TensorsFile(tensors));
  EXPECT_THAT(Load(), StatusIs(kInvalid, "vae: latents are decoded to"));
}

// So that no picture waits for the file to be read again.
TEST_F(AutoencoderKLCodecTest, OneThatIsSaidToOverflowIsLoadedInFloat32) {
  const auto bytes = [&](at::ScalarType dtype) {
    const auto codec =
        AutoencoderKLCodec::Load(*ReadModelIndex(model_), {.dtype = dtype});
    return codec.ok() ? (*codec)->weight_bytes() : 0;
  };
  const std::string file = model_ + "/vae/config.json";
  auto config = nlohmann::json::parse(ReadFile(file));
  EXPECT_LT(bytes(at::kHalf), bytes(at::kFloat));
  config["force_upcast"] = true;
  folder_.Write("model/vae/config.json", config.dump());
  EXPECT_EQ(bytes(at::kHalf), bytes(at::kFloat));
  EXPECT_LT(bytes(at::kBFloat16), bytes(at::kFloat)) << "its range is enough";
}

TEST_F(AutoencoderKLCodecTest, ASmallDecoderOfAnotherModelIsNamed) {
  AddTinyDecoder();
  const std::string config =
      model_ + "/" + AutoencoderKLCodec::kTinyFolder + "/config.json";
  std::string text = ReadFile(config);
  const std::string key = "\"latent_channels\": 4";
  text.replace(text.find(key), key.size(), "\"latent_channels\": 16");
  folder_.Write("model/tiny_vae/config.json", text);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "tiny_vae: latent_channels 16"));
}

TEST_F(AutoencoderKLCodecTest, TheCardsFactorsGoBeforeAFit) {
  folder_.Write(kFactors, R"({
    "latent_rgb_factors": [[1, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 0]],
    "latent_rgb_factors_bias": [0.5, 0, 0]})");
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  const at::Tensor latent =
      at::tensor({1.f, 10.f, 100.f, 1000.f}).view({1, 4, 1, 1});
  EXPECT_THAT((*codec)->Preview(latent, PreviewKind::kLinear).flatten(),
              TensorNear(at::tensor({1.5f, 20.f, 300.f}), 0));
}

TEST_F(AutoencoderKLCodecTest, BadFactorsAreNamed) {
  const auto with = [&](const std::string& json) {
    folder_.Write(kFactors, json);
    return Load();
  };
  EXPECT_THAT(with("[]"), StatusIs(kInvalid, "latent_rgb_factors.json"));
  EXPECT_THAT(with("{}"), StatusIs(kInvalid, "4 latent channels"));
  EXPECT_THAT(with(R"({"latent_rgb_factors": [[1], [1], [1], [1]]})"),
              StatusIs(kInvalid, "[r, g, b]"));
  EXPECT_THAT(with(R"({"latent_rgb_factors":
                       [[1,1,1], [1,1,1], [1,1,1], [1,1,"x"]]})"),
              StatusIs(kInvalid, "[r, g, b]"));
  EXPECT_THAT(with(R"({"latent_rgb_factors":
                       [[1,1,1], [1,1,1], [1,1,1], [1,1,1]],
                       "latent_rgb_factors_bias": 1})"),
              StatusIs(kInvalid, "latent_rgb_factors_bias"));
}

TEST_F(AutoencoderKLCodecTest, FactorsThatAreAbsurdAreNamed) {
  folder_.Write(kFactors, R"({"latent_rgb_factors":
      [[1,1,1], [1,1,1], [1,1,1], [1,1,1e308]]})");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "latent_rgb_factors"));
}

TEST_F(AutoencoderKLCodecTest, AbsurdScalesAreNamed) {
  const std::string config = model_ + "/vae/config.json";
  nlohmann::json json = nlohmann::json::parse(ReadFile(config));
  for (const double scale : {1e308, 0., -1.}) {
    json["scaling_factor"] = scale;
    folder_.Write("model/vae/config.json", json.dump());
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 "vae/config.json: scaling_factor"));
  }
}

TEST_F(AutoencoderKLCodecTest, ASmallDecoderThatIsNotFiniteIsNamed) {
  AddTinyDecoder();
  const std::string name = "tiny_vae/diffusion_pytorch_model.safetensors";
  std::string file = ReadFile(model_ + "/" + name);
  // NaN in every type.
  const auto source = SafetensorsFile::Open(model_ + "/" + name);
  const TensorEntry entry = (*source)->entries().at("decoder.layers.0.bias");
  file.replace(DataBegin(file) + entry.begin_bytes, entry.size_bytes,
               entry.size_bytes, '\xff');
  folder_.Write("model/" + name, file);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               name + ": infinity or NaN"));
}

TEST_F(AutoencoderKLCodecTest, TakesTheAttentionsOldNames) {
  const at::Tensor latents = at::randn({1, 4, 3, 5});
  const at::Tensor expected = (*Load())->Decode(latents);
  const std::string name = "vae/diffusion_pytorch_model.safetensors";
  std::string file = ReadFile(model_ + "/" + name);
  const auto rename = [&](std::string from, std::string to) {
    int count = 0;
    for (size_t i = file.find(from); i != std::string::npos;
         i = file.find(from, i)) {
      file.replace(i, from.size(), to);
      ++count;
    }
    EXPECT_EQ(count, 4) << from;
  };
  for (const auto& [from, to] :
       {std::pair("to_q", "query"), std::pair("to_k", "key"),
        std::pair("to_v", "value"), std::pair("to_out.0", "proj_attn")}) {
    rename(absl::StrCat(".0.", from, "."), absl::StrCat(".0.", to, "."));
  }
  const size_t header_bytes = DataBegin(file) - 8;  // as it was
  // query, value and proj_attn are a letter longer, key is one shorter.
  const size_t changed = header_bytes + 4 * (1 + 1 + 1 - 1);
  file[0] = static_cast<char>(changed & 0xff);
  file[1] = static_cast<char>(changed >> 8);
  folder_.Write("model/" + name, file);
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  EXPECT_THAT((*codec)->Decode(latents), TensorEquals(expected));
}

// As StableDiffusionXLPipeline and its image-to-image have it: Playground 2.5.
TEST_F(AutoencoderKLCodecTest, SdxlsLatentsMayBeNormalised) {
  const at::Tensor encoded = at::randn({1, 4, 3, 5});
  const at::Tensor plain = (*Load())->Decode((*Load())->Scale(encoded));
  const std::vector<double> mean = {0.1, -0.2, 0.3, 0.05};
  const std::vector<double> deviation = {1.2, 0.8, 0.9, 1.1};
  WriteStatistics(mean, deviation);
  // Others' pipelines do not look at them.
  EXPECT_THAT((*Load())->Scale(encoded), TensorNear(encoded * 0.5, 1e-6));

  BecomeSdxl();
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  const at::Tensor scaled = (*codec)->Scale(encoded);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_THAT(
        scaled.select(1, i),
        TensorNear((encoded.select(1, i) - mean[i]) * 0.5 / deviation[i], 1e-5))
        << i;
  }
  EXPECT_THAT((*codec)->Decode(scaled), TensorNear(plain, 1e-4));
}

// Which was trained for latents as SDXL's own autoencoder scales them.
TEST_F(AutoencoderKLCodecTest, TheSmallDecoderTakesThemAsSdxls) {
  AddTinyDecoder();
  BecomeSdxl();
  const at::Tensor encoded = at::randn({1, 4, 3, 5}) * 5;
  const auto plain = Load();
  ASSERT_THAT(plain, IsOk());
  const at::Tensor expected =
      (*plain)->Preview(encoded * 0.13025, PreviewKind::kTiny);
  WriteStatistics({1, -2, 3, 0.5}, {8, 6, 6.5, 5});
  const auto codec = Load();
  ASSERT_THAT(codec, IsOk());
  EXPECT_THAT((*codec)->Preview((*codec)->Scale(encoded), PreviewKind::kTiny),
              TensorNear(expected, 1e-4));
}

TEST_F(AutoencoderKLCodecTest, StatisticsOfOtherLatentsAreNamed) {
  const auto with = [&](const std::vector<double>& deviation) {
    WriteStatistics({0, 0, 0, 0}, deviation);
    return Load().status();
  };
  EXPECT_THAT(with({1, 1, 1}),
              StatusIs(kInvalid, "vae/config.json: latents_std"));
  EXPECT_THAT(with({1, 1, 0, 1}), StatusIs(kInvalid, "not over 0 everywhere"));
}

}  // namespace
}  // namespace genzo
