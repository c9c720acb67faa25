// A model folder that is not sound fails with what is wrong, by name.

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

class BrokenModelTest : public ::testing::Test {
 protected:
  BrokenModelTest() : model_(folder_.CopyTinyModel()) {}

  absl::Status Load() const {
    return LoadPipeline(model_, Placement()).status();
  }

  void Replace(const std::string& file, const std::string& from,
               const std::string& to) const {
    std::string text = ReadFile(model_ + "/" + file);
    const size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos);
    text.replace(place, from.size(), to);
    fs::permissions(model_ + "/" + file, fs::perms::owner_all);
    std::ofstream(model_ + "/" + file) << text;
  }

  const TestFolder folder_;
  const std::string model_;
};

constexpr char kUnet[] = "/unet/diffusion_pytorch_model.safetensors";

TEST_F(BrokenModelTest, TheCopyIsSound) { EXPECT_THAT(Load(), IsOk()); }

TEST_F(BrokenModelTest, ATruncatedFileIsNamed) {
  fs::resize_file(model_ + kUnet, 100000);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, kUnet));
}

TEST_F(BrokenModelTest, AnEmptyFileIsNamed) {
  fs::resize_file(model_ + kUnet, 0);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, kUnet));
}

TEST_F(BrokenModelTest, AMissingComponentIsNamed) {
  fs::remove_all(model_ + "/vae");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "/vae"));
}

TEST_F(BrokenModelTest, AMissingFileIsNamed) {
  fs::remove(model_ + "/text_encoder/model.safetensors");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "text_encoder"));
}

TEST_F(BrokenModelTest, ATensorOfTheWrongShapeIsNamed) {
  Replace("unet/config.json", "\"cross_attention_dim\": 8",
          "\"cross_attention_dim\": 10");
  Replace("text_encoder/config.json", "\"hidden_size\": 8",
          "\"hidden_size\": 10");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "/text_encoder/model.safetensors: tensor "
                       "\"text_model.embeddings.token_embedding.weight\" has "
                       "shape [49408, 8]"));
}

TEST_F(BrokenModelTest, AWrongWidthNamesTheTensor) {
  Replace("vae/config.json", "\"latent_channels\": 4",
          "\"latent_channels\": 8");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "/vae/diffusion_pytorch_model.safetensors: tensor "
                       "\"encoder.conv_out.weight\" has shape"));
}

TEST_F(BrokenModelTest, AnotherNumberOfColoursIsNotSupported) {
  Replace("vae/config.json", "\"out_channels\": 3", "\"out_channels\": 1");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kUnimplemented,
                               "vae/config.json: out_channels 1"));
}

TEST_F(BrokenModelTest, AFolderInPlaceOfAFileIsNamed) {
  fs::remove(model_ + "/tokenizer/vocab.json");
  fs::create_directory(model_ + "/tokenizer/vocab.json");
  const absl::Status status = Load();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("tokenizer/vocab.json"),
            std::string::npos)
      << status;
}

TEST_F(BrokenModelTest, AbsurdLayerCountsAreRefused) {
  Replace("text_encoder/config.json", "\"num_hidden_layers\": 3",
          "\"num_hidden_layers\": 2000000000");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "num_hidden_layers 2000000000"));
}

TEST_F(BrokenModelTest, AnEmptySpecialTokenIsRefused) {
  Replace("tokenizer/special_tokens_map.json", "<|startoftext|>", "");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "special token \"\""));
}

TEST_F(BrokenModelTest, AnotherPipelineIsNotSupported) {
  Replace("model_index.json", "StableDiffusionPipeline", "OtherPipeline");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kUnimplemented, "OtherPipeline"));
}

TEST_F(BrokenModelTest, AnotherSchedulerIsNotSupported) {
  Replace("scheduler/scheduler_config.json", "PNDMScheduler", "Unheard");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kUnimplemented, "Unheard"));
}

TEST_F(BrokenModelTest, AClassThatIsNoNameIsNamedByFileAndKey) {
  const auto write = [&](const char* file, const char* value) {
    nlohmann::json json =
        nlohmann::json::parse(ReadFile(TinyModelFolder() + "/" + file));
    json["_class_name"] = nlohmann::json::parse(value);
    fs::permissions(model_ + "/" + file, fs::perms::owner_all);
    folder_.Write(std::string("model/") + file, json.dump());
  };
  const char* const scheduler = "scheduler/scheduler_config.json";
  write(scheduler, "5");
  EXPECT_THAT(Load(), StatusIs(kInvalid,
                               "scheduler_config.json: _class_name "
                               "5 is not a string"));
  write(scheduler, "null");
  EXPECT_THAT(Load(), IsOk()) << "the index has it, too";
  for (const char* value : {"null", "[]", "\"\""}) {
    write("model_index.json", value);
    EXPECT_THAT(Load(), StatusIs(kInvalid, "model_index.json: _class_name"))
        << value;
  }
}

TEST_F(BrokenModelTest, GarbageInAConfigurationIsNamed) {
  Replace("vae/config.json", "{", "[");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument, "vae/config.json"));
}

TEST_F(BrokenModelTest, WhatIsNeverLoadedIsNotCounted) {
  const auto bytes = [&] {
    return PipelineWeightBytes(model_, Placement())->all;
  };
  const int64_t before = bytes();
  Replace("model_index.json", "{", R"({"safety_checker":
      ["stable_diffusion", "StableDiffusionSafetyChecker"],)");
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[268435456],"data_offsets":[0,1073741824]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  folder_.Write("model/safety_checker/model.safetensors", file + header);
  fs::resize_file(model_ + "/safety_checker/model.safetensors",
                  8 + header.size() + (1 << 30));
  EXPECT_EQ(bytes(), before);
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(BrokenModelTest, TheBytesOfASmallDecoderAreItsDecoders) {
  fs::copy(SourcePath("tests/data/tiny_vae"),
           model_ + "/" + AutoencoderKLCodec::kTinyFolder);
  EXPECT_EQ(PipelineWeightBytes(model_, Placement())->all,
            (*LoadPipeline(model_, Placement()))->weight_bytes());
}

TEST_F(BrokenModelTest, ABadScheduleIsAFaultOfTheModel) {
  const std::string file = model_ + "/scheduler/scheduler_config.json";
  const auto sound = nlohmann::json::parse(ReadFile(file));
  const std::vector<std::pair<const char*, const char*>> faults = {
      {"beta_start", "\"x\""},      {"beta_start", "-1"},
      {"beta_end", "0.5"},          {"beta_end", "1e308"},
      {"num_train_timesteps", "0"}, {"num_train_timesteps", "\"9\""},
      {"steps_offset", "-1"},       {"steps_offset", "900"},
      {"clip_sample_range", "0"},   {"beta_start", "1e-300"},
      {"steps_offset", "[]"},       {"beta_schedule", "\"unheard\""},
      {"prediction_type", "5"},     {"trained_betas", "[0.5]"},
      {"trained_betas", "[\"x\"]"}};
  for (const auto& [key, value] : faults) {
    nlohmann::json broken = sound;
    broken[key] = nlohmann::json::parse(value);
    folder_.Write("model/scheduler/scheduler_config.json", broken.dump());
    const absl::Status status = Load();
    EXPECT_FALSE(status.ok()) << key << " " << value;
    EXPECT_TRUE(absl::StrContains(status.message(), file + ": ")) << status;
  }
  for (const float beta : {-1.f, 0.f, 1.f}) {
    nlohmann::json broken = sound;
    broken["num_train_timesteps"] = 1000;
    broken["trained_betas"] = std::vector<float>(1000, beta);
    folder_.Write("model/scheduler/scheduler_config.json", broken.dump());
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 file + ": trained_betas"));
  }
}

TEST_F(BrokenModelTest, DeepJsonIsRefusedInEveryFile) {
  const std::string deep =
      std::string(200'000, '[') + std::string(200'000, ']');
  for (const std::string name :
       {"model_index.json", "unet/config.json", "vae/config.json",
        "text_encoder/config.json", "tokenizer/vocab.json",
        "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json",
        "scheduler/scheduler_config.json", "vae/latent_rgb_factors.json"}) {
    const std::string path = model_ + "/" + name;
    const bool is_new = !fs::exists(path);
    const std::string sound = is_new ? "" : ReadFile(path);
    folder_.Write("model/" + name, R"({"latent_rgb_factors": )" + deep + "}");
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 name + ": is nested deeper than 64 levels"));
    folder_.Write("model/" + name, sound);
    if (is_new) fs::remove(path);
  }
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(BrokenModelTest, PipesAreRefused) {
  for (const char* name :
       {kUnet, "/model_index.json", "/tokenizer/merges.txt"}) {
    const std::string path = model_ + name;
    fs::rename(path, path + ".aside");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 path + ": is not a regular file"));
    fs::rename(path + ".aside", path);
  }
}

}  // namespace
}  // namespace genzo
