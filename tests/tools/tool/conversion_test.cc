#include "tools/tool/conversion.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <tuple>

#include "ATen/TensorOperators.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/match.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_lora.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/json_config.h"
#include "worker/weights/model_index.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

absl::Status Convert(const ModelFiles& model, const std::string& output,
                     std::optional<at::ScalarType> dtype = {}) {
  int64_t done = 0;
  WriteOptions options;
  options.dtype = dtype;
  options.progress = [&](int64_t bytes) { done += bytes; };
  const auto conversion = Conversion::Plan(model, output);
  if (!conversion.ok()) return conversion.status();
  const absl::Status converted = conversion->Write(options);
  if (converted.ok()) {
    EXPECT_GE(done, conversion->TotalBytes(options));
  }
  return converted;
}

std::vector<std::string> LeftOut(const ModelFiles& model,
                                 const std::string& output) {
  return Conversion::Plan(model, output)->left_out();
}

// Every tensor of the component `folder` has equal values in `tensors`.
void ExpectTensorsOf(const std::string& folder, const TensorSource& tensors) {
  const auto expected = *OpenTensors(folder);
  const ReadOptions in_float = {.dtype = at::kFloat};
  for (const auto& entry : expected->entries()) {
    // Numbers from 0 that single files of some families leave out.
    if (absl::EndsWith(entry.first, "position_ids")) continue;
    const auto read = tensors.Read(entry.first, in_float);
    ASSERT_THAT(read, IsOk());
    EXPECT_THAT(*read, TensorEquals(*expected->Read(entry.first, in_float)))
        << folder << " " << entry.first;
  }
}

TEST(ConversionTest, AFolderBecomesOneFileAndAFolderAgain) {
  const TestFolder folder;
  const std::string file = folder.path() + "/sd1.safetensors";
  ASSERT_THAT(Convert(TinyModelFolder(), file), IsOk());
  ModelFiles single(file);
  single.config = TinyModelFolder();
  const auto index = OpenModelIndex(single);
  ASSERT_THAT(index, IsOk());
  for (const char* component : {"unet", "vae", "text_encoder"}) {
    ExpectTensorsOf(TinyModelFolder() + "/" + component,
                    **index->FilesOf(component).OpenTensors());
  }
  const std::string again = folder.path() + "/again";
  ASSERT_THAT(Convert(single, again), IsOk());
  EXPECT_EQ(ReadModelIndex(again)->pipeline_class, "StableDiffusionPipeline");
  for (const char* component : {"unet", "vae", "text_encoder"}) {
    ExpectTensorsOf(TinyModelFolder() + "/" + component,
                    **OpenTensors(again + "/" + component));
    EXPECT_EQ(ReadFile(again + "/" + component + "/config.json"),
              ReadFile(TinyModelFolder() + "/" + component + "/config.json"));
  }
  EXPECT_TRUE(fs::exists(again + "/tokenizer/merges.txt"));
  EXPECT_TRUE(fs::exists(again + "/scheduler/scheduler_config.json"));
  EXPECT_THAT(Convert(single, again),
              StatusIs(absl::StatusCode::kAlreadyExists, again));
  const std::string before = ReadFile(single.path);
  EXPECT_THAT(Convert(again, single.path),
              StatusIs(absl::StatusCode::kAlreadyExists, "is there"));
  EXPECT_EQ(ReadFile(single.path), before);
  EXPECT_THAT(Convert(single, folder.path() + "/a.ckpt"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "files are written as .safetensors, not as .ckpt"));
}

// Encoders and all: the file draws by itself.
TEST(ConversionTest, FluxBecomesOneFileToo) {
  const std::string model = SourcePath("tests/data/reference/models/flux-dev");
  const TestFolder folder;
  const std::string file = folder.path() + "/flux.safetensors";
  ASSERT_THAT(Convert(model, file), IsOk());
  EXPECT_THAT(ReadSingleFile(*OpenTensorFile(file))->missing,
              ::testing::IsEmpty());
  EXPECT_EQ(
      (*OpenTensorFile(file))->metadata().count("modelspec.prediction_type"),
      0u)
      << "it predicts flow";
  ModelFiles single(file);
  single.config = model;
  const auto index = OpenModelIndex(single);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->pipeline_class, "FluxPipeline");
  for (const char* component :
       {"transformer", "vae", "text_encoder", "text_encoder_2"}) {
    ExpectTensorsOf(model + "/" + component,
                    **index->FilesOf(component).OpenTensors());
  }
}

// Written down from the authors' files: there and back could agree on wrong
// ones.
TEST(ConversionTest, OriginalNamesAreTheAuthors) {
  const TestFolder folder;
  const std::string file = folder.path() + "/sd1.safetensors";
  ASSERT_THAT(Convert(TinyModelFolder(), file), IsOk());
  const auto made = *OpenTensorFile(file);
  for (const auto& [component, name, original] :
       {std::tuple("unet", "conv_in.weight",
                   "model.diffusion_model.input_blocks.0.0.weight"),
        std::tuple("unet", "down_blocks.0.resnets.0.conv1.weight",
                   "model.diffusion_model.input_blocks.1.0.in_layers.2.weight"),
        std::tuple("vae", "decoder.conv_in.weight",
                   "first_stage_model.decoder.conv_in.weight"),
        std::tuple("vae", "encoder.down_blocks.0.resnets.0.conv1.weight",
                   "first_stage_model.encoder.down.0.block.0.conv1.weight"),
        std::tuple("text_encoder",
                   "text_model.embeddings.token_embedding.weight",
                   "cond_stage_model.transformer.text_model.embeddings."
                   "token_embedding.weight")}) {
    ASSERT_EQ(made->entries().count(original), 1u) << original;
    const auto parts = *OpenTensors(TinyModelFolder() + "/" + component);
    EXPECT_THAT(*made->Read(original), TensorEquals(*parts->Read(name)))
        << original;
  }
}

// diffusers' from_single_file reads the same of such a file.
TEST(ConversionTest, TheUpscalerHasAFamilyOfItsOwn) {
  const std::string model =
      SourcePath("../shared/reference/models/sd-x4-upscaler");
  if (!fs::exists(model)) GTEST_SKIP() << "no reference models";
  const TestFolder folder;
  const std::string file = folder.path() + "/x4.safetensors";
  ASSERT_THAT(Convert(model, file), IsOk());
  const auto index = OpenModelIndex(file);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->pipeline_class, "StableDiffusionUpscalePipeline");
  for (const char* component : {"unet", "vae", "text_encoder"}) {
    ExpectTensorsOf(model + "/" + component,
                    **index->FilesOf(component).OpenTensors());
  }
  for (const char* scheduler : {"scheduler", "low_res_scheduler"}) {
    const auto read = JsonConfig::ReadFile(
        index->FilesOf(scheduler).At("scheduler_config.json"));
    ASSERT_THAT(read, IsOk());
    for (const char* key : {"beta_end", "beta_schedule", "prediction_type"}) {
      const auto published = nlohmann::json::parse(
          ReadFile(model + "/" + scheduler + "/scheduler_config.json"));
      EXPECT_EQ(read->object()[key], published[key]) << scheduler << " " << key;
    }
  }
}

TEST(ConversionTest, AFileSaysWhatItsFolderPredicts) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  const std::string path = model + "/scheduler/scheduler_config.json";
  auto scheduler = nlohmann::json::parse(ReadFile(path));
  scheduler["prediction_type"] = "v_prediction";
  scheduler["rescale_betas_zero_snr"] = true;
  std::ofstream(path) << scheduler.dump();
  const std::string file = folder.path() + "/v.safetensors";
  ASSERT_THAT(Convert(model, file), IsOk());
  const auto read = ReadSingleFile(*OpenTensorFile(file));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->scheduler["prediction_type"], "v_prediction");
  EXPECT_EQ(read->scheduler["rescale_betas_zero_snr"], true);
}

TEST(ConversionTest, AFileSaysHowLargeItsFoldersLatentsAre) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  const std::string path = model + "/vae/config.json";
  auto vae = nlohmann::json::parse(ReadFile(path));
  vae["latents_mean"] = {-1.5, 2.0, -1.25, 0.1};
  vae["latents_std"] = {8.5, 6.0, 6.5, 5.25};
  vae["scaling_factor"] = 0.5;
  vae["force_upcast"] = true;
  vae["norm_num_groups"] = 4;
  std::ofstream(path) << vae.dump();
  const std::string file = folder.path() + "/latents.safetensors";
  ASSERT_THAT(Convert(model, file), IsOk());
  const std::string again = folder.path() + "/again";
  ASSERT_THAT(Convert(file, again), IsOk());
  const auto read = nlohmann::json::parse(ReadFile(again + "/vae/config.json"));
  for (const char* key : {"latents_mean", "latents_std", "scaling_factor",
                          "force_upcast", "norm_num_groups"}) {
    EXPECT_EQ(read[key], vae[key]) << key;
  }
}

// By name, unless they are but spelled out or said in the metadata.
TEST(ConversionTest, SettingsOfAWalkThatNoFileHasAreToldOf) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  const std::string path = model + "/scheduler/scheduler_config.json";
  const auto published = nlohmann::json::parse(ReadFile(path));
  const auto lost = [&](const nlohmann::json& changes) {
    nlohmann::json scheduler = published;
    scheduler.update(changes);
    std::ofstream(path) << scheduler.dump();
    return LeftOut(model, folder.path() + "/a.safetensors");
  };
  EXPECT_THAT(lost({{"timestep_spacing", "leading"},
                    {"prediction_type", "v_prediction"},
                    {"rescale_betas_zero_snr", true},
                    {"trained_betas", nullptr},
                    {"unheard_of", 1}}),
              ::testing::IsEmpty());
  EXPECT_THAT(lost({{"timestep_spacing", "trailing"}, {"beta_end", 0.013}}),
              ::testing::ElementsAre("scheduler/scheduler_config.json "
                                     "(beta_end, timestep_spacing)"));
  EXPECT_THAT(
      lost({{"_class_name", "DDIMScheduler"}, {"prediction_type", "sample"}}),
      ::testing::ElementsAre("scheduler/scheduler_config.json (_class_name, "
                             "prediction_type)"));
  EXPECT_THAT(LeftOut(model, folder.path() + "/again"), ::testing::IsEmpty());
}

TEST(ConversionTest, AFileThatIsAsItsFamilySaysNothingOfLatents) {
  const TestFolder folder;
  const std::string file = folder.path() + "/sd1.safetensors";
  ASSERT_THAT(Convert(TinyModelFolder(), file), IsOk());
  EXPECT_EQ((*OpenTensorFile(file))->metadata().count("genzo.latents"), 0u);
}

// Rather than a file that is read as one of Stable Diffusion.
TEST(ConversionTest, AFolderOfEdmGoesIntoNoFile) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  std::ofstream(model + "/scheduler/scheduler_config.json")
      << R"({"_class_name": "EDMEulerScheduler"})";
  const std::string file = folder.path() + "/edm.safetensors";
  EXPECT_THAT(Convert(model, file),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "scheduler_config.json: _class_name EDMEulerScheduler"));
  EXPECT_FALSE(fs::exists(file));
  EXPECT_THAT(Convert(model, folder.path() + "/edm"), IsOk());
}

TEST(ConversionTest, AFolderKeepsWhatNoIndexNames) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  folder.Write("model/genzo.json", R"({"steps": 4})");
  folder.Write("model/vae/latent_rgb_factors.json", "{}");
  fs::copy(SourcePath("tests/data/tiny_vae"), model + "/tiny_vae");
  const std::string again = folder.path() + "/again";
  ASSERT_THAT(Convert(model, again), IsOk());
  EXPECT_EQ(ReadFile(again + "/genzo.json"), R"({"steps": 4})");
  EXPECT_EQ(ReadFile(again + "/vae/latent_rgb_factors.json"), "{}");
  ExpectTensorsOf(model + "/tiny_vae", **OpenTensors(again + "/tiny_vae"));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(again + "/model_index.json")),
            nlohmann::json::parse(ReadFile(model + "/model_index.json")));
  EXPECT_THAT(LeftOut(model, folder.path() + "/other"), ::testing::IsEmpty());
  EXPECT_THAT(LeftOut(model, folder.path() + "/a.safetensors"),
              ::testing::ElementsAre("genzo.json", "tiny_vae",
                                     "vae/latent_rgb_factors.json"));
  EXPECT_THAT(LeftOut(TinyModelFolder(), folder.path() + "/a.safetensors"),
              ::testing::IsEmpty());
}

// Which reads the base's encoder, and so has none in its own folder.
TEST(ConversionTest, AFolderKeepsItsRefiner) {
  const TestFolder folder;
  const std::string model = WriteTinySdxl(folder, /*with_refiner=*/true);
  const std::string again = folder.path() + "/again";
  ASSERT_THAT(Convert(model, again), IsOk());
  ExpectTensorsOf(model + "/refiner/unet",
                  **OpenTensors(again + "/refiner/unet"));
  EXPECT_EQ(ReadModelIndex(again)->refiner, again + "/refiner");
  EXPECT_FALSE(fs::exists(again + "/refiner/text_encoder_2"));
  EXPECT_THAT(LeftOut(model, folder.path() + "/a.safetensors"),
              ::testing::ElementsAre("refiner"));
}

TEST(ConversionTest, ScaledFloat8IsKeptFromFileToFile) {
  const TestFolder folder;
  FixedTensors tensors;
  tensors.Add("a.weight", at::ones({2, 2}).to(at::kFloat8_e4m3fn));
  tensors.Add("a.weight_scale", at::tensor({3.f}));
  const std::string file = folder.path() + "/scaled.safetensors";
  ASSERT_THAT(WriteSafetensors(file, tensors, {}), IsOk());
  const std::string kept = folder.path() + "/kept.safetensors";
  ASSERT_THAT(Convert(file, kept), IsOk());
  const auto stored = *SafetensorsFile::Open(kept);
  EXPECT_EQ(stored->entries().at("a.weight").dtype, at::kFloat8_e4m3fn);
  EXPECT_EQ(stored->entries().count("a.weight_scale"), 1u);
  const std::string half = folder.path() + "/half.safetensors";
  ASSERT_THAT(Convert(file, half, at::kHalf), IsOk());
  EXPECT_THAT(*(*SafetensorsFile::Open(half))->Read("a.weight"),
              TensorEquals(at::ones({2, 2}).to(at::kHalf) * 3));
}

// Not a smaller model that says nothing.
TEST(ConversionTest, WeightsThatAreNotThereAreMissed) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  fs::remove(model + "/unet/diffusion_pytorch_model.safetensors");
  for (const char* output : {"/one.safetensors", "/folder"}) {
    EXPECT_THAT(Convert(model, folder.path() + output),
                StatusIs(absl::StatusCode::kNotFound, "unet"));
  }
}

TEST(ConversionTest, WritesAnotherType) {
  const TestFolder folder;
  const std::string file = folder.path() + "/sd1.safetensors";
  ASSERT_THAT(Convert(TinyModelFolder(), file, at::kBFloat16), IsOk());
  const auto tensors = *OpenTensorFile(file);
  for (const auto& [name, entry] : tensors->entries()) {
    EXPECT_TRUE(entry.dtype == at::kBFloat16 || entry.dtype == at::kLong)
        << name;
  }
  const std::string again = folder.path() + "/again.safetensors";
  ASSERT_THAT(Convert(file, again, at::kFloat), IsOk());
  EXPECT_EQ((*OpenTensorFile(again))->entries().size(),
            tensors->entries().size());
}

// They are divided by and added to, a picture's every latent.
TEST(ConversionTest, NumbersOfEdmAreNotRounded) {
  const TestFolder folder;
  const at::Tensor mean =
      at::tensor({-1.6574, 1.886, -1.383, 2.5155}, at::kFloat);
  FixedTensors tensors;
  tensors.Add("edm_mean", mean);
  tensors.Add("conv_in.weight", at::ones({2, 2}));
  const std::string file = folder.path() + "/edm.safetensors";
  ASSERT_THAT(WriteSafetensors(file, tensors, {}), IsOk());
  const std::string again = folder.path() + "/again.safetensors";
  ASSERT_THAT(Convert(file, again, at::kBFloat16), IsOk());
  const auto read = *OpenTensorFile(again);
  EXPECT_THAT(*read->Read("edm_mean"), TensorEquals(mean));
  EXPECT_EQ(read->entries().at("conv_in.weight").dtype, at::kBFloat16);
}

TEST(ConversionTest, DamagedSingleFilesAreRefusedByName) {
  const TestFolder folder;
  const std::string path = folder.path() + "/sd1.safetensors";
  ASSERT_THAT(Convert(TinyModelFolder(), path), IsOk());
  const std::string sound = ReadFile(path);
  const size_t header = 8 + static_cast<unsigned char>(sound[0]) +
                        256 * static_cast<unsigned char>(sound[1]) +
                        65536 * static_cast<unsigned char>(sound[2]);
  std::mt19937 random(/*seed=*/5);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = sound.substr(0, header);
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips) {
      const size_t byte = random() % header;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << random() % 8));
    }
    folder.Write("sd1.safetensors", damaged);
    std::filesystem::resize_file(path, sound.size());
    const auto index = OpenModelIndex(path);
    if (index.ok()) continue;
    EXPECT_THAT(index.status().message(), HasSubstr("sd1.safetensors"));
    EXPECT_LT(index.status().message().size(), 1000u);
  }
}

// Though the encoders of these are as narrow as SD1's.
TEST(ConversionTest, AFamilyIsTheDenoisers) {
  const std::string models = SourcePath("../shared/reference/models/");
  if (!fs::exists(models)) GTEST_SKIP() << "no reference models";
  for (const auto& [folder, family, prediction] :
       {std::tuple("sd2-base", "sd2", "epsilon"),
        std::tuple("sd21-v", "sd2", "v_prediction")}) {
    const TestFolder own;
    const std::string made = own.path() + "/made.safetensors";
    ASSERT_THAT(Convert(models + folder, made), IsOk());
    const auto read = ReadSingleFile(*OpenTensorFile(made));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->family, family) << folder;
    EXPECT_THAT(
        read->missing,
        ::testing::Not(::testing::Contains(std::string("text_encoder"))));
    EXPECT_EQ(read->scheduler["prediction_type"], prediction) << folder;
  }
}

// The original names of every family, against the files that have them.
TEST(ConversionTest, FoldersHaveTheNamesOfTheirSingleFiles) {
  const std::string models = SourcePath("../shared/reference/models/");
  if (!fs::exists(models)) GTEST_SKIP() << "no reference models";
  for (const auto& [folder, file] :
       {std::pair("sd1", "sd1-ldm"), std::pair("sdxl", "sdxl"),
        std::pair("sd3", "sd3")}) {
    const TestFolder own;
    const std::string made = own.path() + "/made.safetensors";
    ASSERT_THAT(Convert(models + folder, made), IsOk());
    const auto tensors = *OpenTensorFile(made);
    const auto expected =
        *OpenTensorFile(models + "single-file/" + file + ".safetensors");
    const ReadOptions in_float = {.dtype = at::kFloat};
    for (const auto& [name, entry] : expected->entries()) {
      // What only scores pictures.
      if (name.find("logit_scale") != std::string::npos) continue;
      ASSERT_EQ(tensors->entries().count(name), 1u) << name;
      EXPECT_EQ(tensors->entries().at(name).shape, entry.shape) << name;
      EXPECT_THAT(*tensors->Read(name, in_float),
                  TensorEquals(*expected->Read(name, in_float)))
          << name;
    }
  }
}

}  // namespace
}  // namespace genzo
