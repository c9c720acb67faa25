// Single files under original names against the folders of the same models.
// What is committed is small; the reference models beside the checkout, where
// they are, have all families.

#include "worker/weights/single_file/single_file.h"

#include <filesystem>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "ATen/ops/ones.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_lora.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/joined_tensors.h"
#include "worker/weights/json_config.h"
#include "worker/weights/model_index.h"
#include "worker/weights/single_file/builtin_documents.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

std::string Reference(const std::string& relative) {
  return SourcePath("../shared/reference/models/" + relative);
}

// Every tensor of `folder`, and no other, has equal values in `part`; so has
// one that a view makes where a folder has none.
void ExpectSameTensors(const TensorSource& part, const std::string& folder,
                       const std::set<std::string>& only_in_folder = {},
                       const std::set<std::string>& only_in_file = {}) {
  const auto expected = OpenTensors(folder);
  ASSERT_THAT(expected, IsOk());
  for (const auto& [name, entry] : (*expected)->entries()) {
    if (only_in_folder.count(name) > 0) continue;
    ASSERT_EQ(part.entries().count(name), 1u) << folder << " " << name;
    EXPECT_EQ(part.entries().at(name).shape, entry.shape) << name;
    const ReadOptions in_float = {.dtype = at::kFloat};
    EXPECT_THAT(*part.Read(name, in_float),
                TensorEquals(*(*expected)->Read(name, in_float)))
        << folder << " " << name;
  }
  for (const auto& entry : part.entries()) {
    if (only_in_file.count(entry.first) > 0) continue;
    EXPECT_EQ((*expected)->entries().count(entry.first), 1u)
        << folder << " lacks " << entry.first;
  }
}

struct ReferenceFile {
  std::string file;
  std::string folder;
  std::string family;
  std::vector<std::string> components;
};

class ReferenceFileTest : public ::testing::TestWithParam<ReferenceFile> {
 protected:
  void SetUp() override {
    if (!fs::exists(Reference(GetParam().file))) {
      GTEST_SKIP() << "no reference models beside the checkout";
    }
  }
};

TEST_P(ReferenceFileTest, HasTheTensorsOfTheFolder) {
  const auto tensors = OpenTensorFile(Reference(GetParam().file));
  ASSERT_THAT(tensors, IsOk());
  const auto file = ReadSingleFile(*tensors);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->family, GetParam().family);
  std::vector<std::string> components;
  for (const SingleFilePart& part : file->parts) {
    components.push_back(part.component);
    ExpectSameTensors(*part.tensors,
                      Reference(GetParam().folder + "/" + part.component));
  }
  EXPECT_EQ(components, GetParam().components);
}

// What neither names nor shapes show; a folder set as config: tells it.
bool CannotBeSeen(const std::string& key) {
  static const auto* const keys = new std::set<std::string>{
      "attention_head_dim", "num_attention_heads", "norm_num_groups",
      "axes_dims_rope", "sample_size"};
  return key[0] == '_' || keys->count(key) > 0;
}

TEST_P(ReferenceFileTest, ShowsItsConfiguration) {
  const auto file = ReadSingleFile(*OpenTensorFile(Reference(GetParam().file)));
  ASSERT_THAT(file, IsOk());
  for (const SingleFilePart& part : file->parts) {
    const auto published = JsonConfig::ReadFile(
        Reference(GetParam().folder + "/" + part.component + "/config.json"));
    for (const auto& [key, value] : published->object().items()) {
      if (CannotBeSeen(key) || !part.config.contains(key)) continue;
      EXPECT_EQ(part.config[key], value) << part.component << " " << key;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ReferenceFileTest,
    ::testing::Values(ReferenceFile{"single-file/sd1-ldm.safetensors",
                                    "sd1",
                                    "sd1",
                                    {"unet", "vae", "text_encoder"}},
                      ReferenceFile{
                          "single-file/sdxl.safetensors",
                          "sdxl",
                          "sdxl",
                          {"unet", "vae", "text_encoder", "text_encoder_2"}},
                      ReferenceFile{"single-file/sd3.safetensors",
                                    "sd3",
                                    "sd3",
                                    {"transformer", "vae"}},
                      ReferenceFile{"single-file/flux1-dev.safetensors",
                                    "flux-dev",
                                    "flux",
                                    {"transformer"}}));

TEST(SingleFileTest, AnAutoencoderAloneIsAPartAndNoModel) {
  const std::string path = Reference("single-file/flux-ae.safetensors");
  if (!fs::exists(path)) GTEST_SKIP() << "no reference models";
  const auto tensors = *OpenTensorFile(path);
  EXPECT_THAT(ReadSingleFile(tensors).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "single component (AutoencoderKL)"));
  const auto part =
      ReadSingleFilePart(tensors, "vae", "AutoencoderKL",
                         FamilyDocument("flux")["components"]["vae"]["config"]);
  ASSERT_THAT(part, IsOk());
  ExpectSameTensors(*part->tensors, Reference("flux-dev/vae"));
  EXPECT_EQ(part->config["latent_channels"], 16);
  EXPECT_EQ(part->config["use_quant_conv"], false);
  EXPECT_THAT(
      ReadSingleFilePart(tensors, "text_encoder", "CLIPTextModel", {}).status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "holds no CLIPTextModel for text_encoder"));
}

// Playground 2.5's beside a small model's: whatever the family says.
TEST(SingleFileTest, TensorsOfEdmDecideSchedulerAndAutoencoder) {
  std::vector<std::shared_ptr<const TensorSource>> parts;
  for (const auto& [component, class_name] :
       {std::pair("unet", "UNet2DConditionModel"),
        std::pair("vae", "AutoencoderKL")}) {
    parts.push_back(*ToOriginalNames(
        *OpenTensors(absl::StrCat(TinyModelFolder(), "/", component)), "sd1",
        component, class_name));
  }
  const auto plain = ReadSingleFile(*JoinedTensors::Create("plain", parts));
  ASSERT_THAT(plain, IsOk());
  EXPECT_TRUE(plain->scheduler.contains("beta_start"));
  auto edm = std::make_shared<FixedTensors>();
  edm->Add("edm_mean", at::tensor({-1.5, 2.0, -1.25, 2.5}));
  edm->Add("edm_std", at::tensor({8.5, 6.0, 6.5, 5.25}));
  parts.push_back(edm);
  const auto file = ReadSingleFile(*JoinedTensors::Create("edm", parts));
  ASSERT_THAT(file, IsOk());
  const nlohmann::json scheduler = {
      {"_class_name", "EDMDPMSolverMultistepScheduler"}};
  EXPECT_EQ(file->scheduler, scheduler);
  ASSERT_EQ(file->parts.size(), 2u);
  nlohmann::json expected = plain->parts[1].config;
  expected["latents_mean"] = {-1.5, 2.0, -1.25, 2.5};
  expected["latents_std"] = {8.5, 6.0, 6.5, 5.25};
  expected["scaling_factor"] = 0.5;
  EXPECT_EQ(file->parts[1].config, expected);
}

TEST(SingleFileTest, ThePublishedVocabularyIsInTheProgram) {
  const auto texts = ClipTokenizerTexts("!");
  const std::string folder = TinyModelFolder() + "/tokenizer/";
  EXPECT_EQ(nlohmann::json::parse(texts.at("vocab.json")),
            nlohmann::json::parse(ReadFile(folder + "vocab.json")));
  EXPECT_EQ(texts.at("merges.txt"), ReadFile(folder + "merges.txt"));
}

class SingleFileIndexTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(sd1_)) GTEST_SKIP() << "no reference models";
  }

  const std::string sd1_ = Reference("single-file/sd1-ldm.safetensors");
};

TEST_F(SingleFileIndexTest, HasAllThatAPipelineAsksFor) {
  const auto index = OpenModelIndex(sd1_);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->pipeline_class, "StableDiffusionPipeline");
  EXPECT_EQ(index->folder, sd1_);
  const auto unet = index->Component("unet", "UNet2DConditionModel");
  ASSERT_THAT(unet, IsOk());
  EXPECT_EQ(unet->path(), sd1_ + ":unet");
  EXPECT_THAT(unet->OpenTensors(), IsOk());
  const auto config = JsonConfig::ReadFile(unet->At("config.json"));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->object()["block_out_channels"],
            nlohmann::json({16, 16, 24, 32}));
  EXPECT_TRUE(index->FilesOf("tokenizer").At("merges.txt").Exists());
  EXPECT_TRUE(index->FilesOf("scheduler").At("scheduler_config.json").Exists());
  EXPECT_THAT(index->Component("text_encoder_3", "T5EncoderModel"),
              StatusIs(absl::StatusCode::kNotFound, "under parts:"));
}

TEST_F(SingleFileIndexTest, AFolderTellsWhatCannotBeSeen) {
  ModelFiles files(sd1_);
  files.config = TinyModelFolder();
  const auto index = OpenModelIndex(files);
  ASSERT_THAT(index, IsOk());
  const auto config =
      JsonConfig::ReadFile(index->FilesOf("unet").At("config.json"));
  EXPECT_EQ(config->object()["attention_head_dim"], 4);
  EXPECT_EQ(index->FilesOf("tokenizer").path(),
            TinyModelFolder() + "/tokenizer");
  EXPECT_EQ(*index->FilesOf("unet").OpenTensors() == nullptr, false);
}

TEST_F(SingleFileIndexTest, AFamilysFolderBesideTheFileIsItsDefault) {
  const TestFolder folder;
  const std::string file = folder.path() + "/a.safetensors";
  fs::create_symlink(sd1_, file);
  fs::create_directory(folder.path() + "/sd1.config");
  fs::create_directory_symlink(TinyModelFolder() + "/vae",
                               folder.path() + "/sd1.config/vae");
  const auto heads = [](const ModelFiles& files) {
    return JsonConfig::ReadFile(
               OpenModelIndex(files)->FilesOf("vae").At("config.json"))
        ->object();
  };
  const auto expect_familys = [&](const ModelFiles& files) {
    const auto config = heads(files);
    const auto familys = heads(TinyModelFolder());
    for (const auto& [key, value] : familys.items()) {
      if (value.is_null()) continue;
      EXPECT_EQ(config.value(key, nlohmann::json()), value) << key;
    }
  };
  ModelFiles files(file);
  expect_familys(files);
  // One that is named counts before it, for what it has.
  files.config = folder.path() + "/a.config";
  fs::create_directories(files.config + "/scheduler");
  expect_familys(files);
  EXPECT_EQ(OpenModelIndex(files)->FilesOf("scheduler").path(),
            files.config + "/scheduler");
  fs::create_directory(files.config + "/vae");
  folder.Write("a.config/vae/config.json", R"({"latent_channels": 7})");
  EXPECT_EQ(heads(files)["latent_channels"], 7);
}

// The tiny model's U-Net under original names, for a test to change.
FixedTensors OriginalUNet() {
  const auto source =
      *ToOriginalNames(*OpenTensors(TinyModelFolder() + "/unet"), "sd1", "unet",
                       "UNet2DConditionModel");
  FixedTensors tensors;
  for (const auto& entry : source->entries()) {
    tensors.Add(entry.first, *source->Read(entry.first));
  }
  return tensors;
}

constexpr char kFirstLayer[] = "model.diffusion_model.input_blocks.0.0.weight";

// As the model sees them.
nlohmann::json SchedulerOf(const ModelFiles& files) {
  const auto index = OpenModelIndex(files);
  EXPECT_THAT(index, IsOk());
  if (!index.ok()) return {};
  const auto read = JsonConfig::ReadFile(
      index->FilesOf("scheduler").At("scheduler_config.json"));
  EXPECT_THAT(read, IsOk());
  return read.ok() ? read->object() : nlohmann::json();
}

// A folder that lies beside all files of a family knows nothing of one.
TEST(SingleFileTest, WhatAFileSaysCountsBeforeItsFamilysFolder) {
  const TestFolder folder;
  FixedTensors unet = OriginalUNet();
  unet.Add("v_pred", at::tensor(std::vector<float>()));
  unet.Add("ztsnr", at::tensor(std::vector<float>()));
  const auto first = at::ones({16, 9, 3, 3});
  unet.Add(kFirstLayer, first);
  ModelFiles files(WriteLora(folder, "v", unet));
  fs::copy(TinyModelFolder(), folder.path() + "/sd1.config",
           fs::copy_options::recursive);
  const std::string scheduler =
      R"({"_class_name": "EulerDiscreteScheduler", "beta_end": 0.5,
          "prediction_type": "epsilon"})";
  folder.Write("named/scheduler/scheduler_config.json", scheduler);
  fs::remove(folder.path() + "/sd1.config/scheduler/scheduler_config.json");
  folder.Write("sd1.config/scheduler/scheduler_config.json", scheduler);
  const auto with_family = SchedulerOf(files);
  EXPECT_EQ(with_family["_class_name"], "EulerDiscreteScheduler");
  EXPECT_EQ(with_family["beta_end"], 0.5);
  EXPECT_EQ(with_family["prediction_type"], "v_prediction");
  EXPECT_EQ(with_family["rescale_betas_zero_snr"], true);
  const auto index = OpenModelIndex(files);
  EXPECT_EQ(index->pipeline_class, "StableDiffusionInpaintPipeline");
  const auto config =
      JsonConfig::ReadFile(index->FilesOf("unet").At("config.json"));
  EXPECT_EQ(config->object()["in_channels"], 9);
  EXPECT_EQ(config->object()["attention_head_dim"], 4) << "cannot be seen";
  files.config = folder.path() + "/named";
  EXPECT_EQ(SchedulerOf(files), nlohmann::json::parse(scheduler));
}

TEST(SingleFileTest, ANetworkThatEmbedsTheScaleWalksAsLcm) {
  const TestFolder folder;
  FixedTensors unet = OriginalUNet();
  EXPECT_EQ(SchedulerOf(WriteLora(folder, "plain", unet))["_class_name"],
            "PNDMScheduler");
  unet.Add("model.diffusion_model.time_embed.cond_proj.weight",
           at::ones({16, 256}));
  const std::string file = WriteLora(folder, "lcm", unet);
  EXPECT_EQ(SchedulerOf(file)["_class_name"], "LCMScheduler");
  EXPECT_EQ(OpenModelIndex(file)->ClassOf("scheduler"), "LCMScheduler");
}

// No single file holds it; a folder may.
TEST(SingleFileTest, ADepthModelNamesItsEstimator) {
  const TestFolder folder;
  FixedTensors unet = OriginalUNet();
  unet.Add(kFirstLayer, at::ones({16, 5, 3, 3}));
  ModelFiles files(WriteLora(folder, "depth", unet));
  const auto estimator = [&] {
    return OpenModelIndex(files)->Component("depth_estimator", kDepthClass);
  };
  EXPECT_THAT(estimator(),
              StatusIs(absl::StatusCode::kNotFound,
                       "component depth_estimator is missing; name a file"));
  files.parts = {{"depth_estimator", TinyModelFolder() + "/vae"}};
  EXPECT_THAT(estimator(), IsOk());
  files.parts.clear();
  fs::create_directories(folder.path() + "/sd1.config/depth_estimator");
  EXPECT_THAT(estimator(), IsOk());
}

// Of which a table would have a rule for each, tried on each name.
TEST(SingleFileTest, NetworksDeeperThanAnyAreRefused) {
  const FixedTensors tensors = OriginalUNet();
  EXPECT_THAT(ReadSingleFile(std::make_shared<FixedTensors>(tensors)), IsOk());
  for (const char* block : {"1024", "99999999999999999999"}) {
    FixedTensors deep = tensors;
    deep.Add(absl::StrCat("model.diffusion_model.output_blocks.", block, ".x"),
             at::ones({1}));
    EXPECT_THAT(ReadSingleFile(std::make_shared<FixedTensors>(deep)).status(),
                StatusIs(kInvalid, absl::StrCat("is of block ", block)));
  }
}

// The error says what to do.
TEST(SingleFileTest, ABareTransformerNamesWhatItLacks) {
  const std::string path = Reference("single-file/flux1-dev.safetensors");
  if (!fs::exists(path)) GTEST_SKIP() << "no reference models";
  const auto index = OpenModelIndex(path);
  ASSERT_THAT(index, IsOk());
  for (const auto& [component, class_name] :
       {std::pair("text_encoder_2", "T5EncoderModel"),
        std::pair("vae", "AutoencoderKL")}) {
    const absl::Status status =
        index->Component(component, class_name).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, component));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "parts:"));
    EXPECT_THAT(status,
                StatusIs(absl::StatusCode::kNotFound,
                         "by default " + Reference("single-file/flux.config")));
  }
  // Vocabularies are in the program.
  EXPECT_THAT(index->Component("tokenizer", "CLIPTokenizer"), IsOk());
  const auto t5 = index->Component("tokenizer_2", "T5TokenizerFast");
  ASSERT_THAT(t5, IsOk());
  EXPECT_TRUE(t5->At("tokenizer.json").Exists());
}

TEST_F(SingleFileIndexTest, ASmallDecoderMayBeNamed) {
  ModelFiles files(sd1_);
  files.parts = {{"tiny_vae", SourcePath("tests/data/tiny_vae")}};
  const auto index = OpenModelIndex(files);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->FilesOf("tiny_vae").path(),
            SourcePath("tests/data/tiny_vae"));
  files.parts = {{"tiny_vae", sd1_}};
  EXPECT_THAT(OpenModelIndex(files),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       sd1_ + ": holds no decoder of a small autoencoder"));
}

TEST_F(SingleFileIndexTest, PartsCountBeforeTheFilesOwn) {
  ModelFiles files(sd1_);
  files.parts = {
      {"vae", TinyModelFolder() + "/vae"},
      {"text_encoder", TinyModelFolder() + "/text_encoder/model.safetensors"}};
  const auto index = OpenModelIndex(files);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->FilesOf("vae").path(), TinyModelFolder() + "/vae");
  ExpectSameTensors(**index->FilesOf("text_encoder").OpenTensors(),
                    TinyModelFolder() + "/text_encoder");
  files.parts = {{"prior", TinyModelFolder() + "/vae"}};
  EXPECT_THAT(OpenModelIndex(files).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "parts.prior is no component of"));
}

TEST(SingleFileTest, PicklesAreRefusedWithAWordOfWhatToDo) {
  const TestFolder folder;
  EXPECT_THAT(
      OpenModelIndex(folder.Write("a.ckpt", "x")).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, "genzo-tool convert"));
}

}  // namespace
}  // namespace genzo
