#include "tools/tool/model_report.h"

#include <filesystem>

#include "ATen/ops/ones.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_lora.h"
#include "tests/testing/tiny_sdxl.h"
#include "tools/tool/conversion.h"
#include "tools/tool/faulty_tensors.h"

namespace genzo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ModelReportTest, AddsUpAFolder) {
  const auto report = InspectModel(TinyModelFolder());
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->pipeline_class, "StableDiffusionPipeline");
  ASSERT_EQ(report->parts.size(), 3u);
  EXPECT_EQ(report->parts[0].component, "text_encoder");
  int64_t parameters = 0;
  for (const auto& part : report->parts) parameters += part.parameters;
  EXPECT_EQ(report->parameters(), parameters);
  EXPECT_EQ(report->parts[0].stored_bytes.at("float16"), 797024);
  EXPECT_EQ(report->ToJson()["memory_bytes"]["float32"], 4 * parameters);
  EXPECT_THAT(report->ToText(), HasSubstr("UNet2DConditionModel"));
}

// The transformer of the tiny FLUX.1 alone, under original names.
std::string BareFlux(const TestFolder& folder) {
  const std::string model = folder.path() + "/model";
  const std::string path = folder.path() + "/flux.safetensors";
  std::filesystem::copy(SourcePath("tests/data/reference/models/flux-dev"),
                        model, std::filesystem::copy_options::recursive);
  auto index = nlohmann::json::parse(ReadFile(model + "/model_index.json"));
  for (const char* component : {"text_encoder", "text_encoder_2", "vae"}) {
    index.erase(component);
  }
  folder.Write("model/model_index.json", index.dump());
  EXPECT_THAT(Conversion::Plan(model, path)->Write({}), IsOk());
  return path;
}

// A safetensors file of no bytes but a header.
std::string Header(const TestFolder& folder, const nlohmann::json& header) {
  const std::string text = header.dump();
  std::string size(8, '\0');
  for (int i = 0; i < 8; ++i) {
    size[i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  }
  return folder.Write("odd.safetensors", size + text);
}

TEST(ModelReportTest, TellsWhatAFileLacks) {
  const TestFolder folder;
  const std::string path = BareFlux(folder);
  const auto report = InspectModel(path);
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->family, "flux");
  EXPECT_EQ(report->problem, "");
  EXPECT_EQ(report->missing, (std::vector<std::string>{
                                 "text_encoder", "text_encoder_2", "vae"}));
  EXPECT_EQ(report->metadata.at("format"), "pt");
  EXPECT_THAT(report->ToText(), HasSubstr("missing     text_encoder"));
}

// By the network's own asking: another shape is told of, too.
TEST(ModelReportTest, TellsWhichTensorsOfAPartAreMissing) {
  const TestFolder folder;
  const std::string name = "unet/diffusion_pytorch_model.safetensors";
  const std::string model = folder.CopyTinyModel();
  NamedTensors tensors = ReadTensors(model + "/" + name);
  EXPECT_EQ(InspectModel(model)->problem, "") << "it is sound";
  ASSERT_EQ(tensors.erase("mid_block.resnets.0.conv1.bias"), 1u);
  ASSERT_EQ(tensors.erase("conv_out.bias"), 1u);
  tensors["conv_norm_out.weight"] = at::ones({3});
  std::filesystem::remove(model + "/" + name);
  folder.Write("model/" + name, TensorsFile(tensors));
  const std::string single = folder.path() + "/one.safetensors";
  ASSERT_THAT(Conversion::Plan(model, single)->Write({}), IsOk());
  for (const std::string& path : {model, single}) {
    const auto report = InspectModel(path);
    ASSERT_THAT(report, IsOk());
    EXPECT_THAT(report->problem, StartsWith("unet: tensor \""));
    EXPECT_THAT(report->problem, EndsWith(", and 2 more"));
    const std::string text = report->ToText();
    EXPECT_THAT(text, HasSubstr("tensor \"mid_block.resnets.0.conv1.bias\" is "
                                "missing\n"));
    EXPECT_THAT(text, HasSubstr("tensor \"conv_out.bias\" is missing\n"));
    EXPECT_THAT(text, HasSubstr("tensor \"conv_norm_out.weight\" has shape "
                                "[3], the configuration needs ["));
  }
  // Of many, some.
  folder.Write("model/" + name, TensorsFile({{"odd", at::ones({1})}}));
  const std::string text = InspectModel(model)->ToText();
  EXPECT_THAT(text, HasSubstr(" more; --json names them\n"));
  EXPECT_THAT(text, Not(HasSubstr("conv_out.bias")));
}

// Beside the network: what loading refuses, and what a file has besides.
TEST(ModelReportTest, NamesTensorsThatNothingReads) {
  const TestFolder folder;
  const std::string name = "unet/diffusion_pytorch_model.safetensors";
  const std::string model = folder.CopyTinyModel();
  NamedTensors tensors = ReadTensors(model + "/" + name);
  for (const char* odd : {"odd.a", "odd.b", "odd.c", "odd.d"}) {
    tensors[odd] = at::ones({1});
  }
  std::filesystem::remove(model + "/" + name);
  folder.Write("model/" + name, TensorsFile(tensors));
  const auto report = InspectModel(model);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->problem,
              HasSubstr("tensor \"odd.a\" has no place in the architecture"));
  EXPECT_THAT(report->ToText(),
              HasSubstr("4 tensors that nothing reads: odd.a, odd.b, odd.c, "
                        "...\n"));
  EXPECT_EQ(report->ToJson()["parts"][1]["surplus"].size(), 4u);
}

TEST(ModelReportTest, NamesWhatNoPartOfAFileHas) {
  const TestFolder folder;
  const std::string path = folder.path() + "/one.safetensors";
  ASSERT_THAT(Conversion::Plan(TinyModelFolder(), path)->Write({}), IsOk());
  NamedTensors tensors = ReadTensors(path);
  tensors["model_ema.decay"] = at::ones({1});
  tensors["v_pred"] = at::ones({1});  // says what the prediction is
  const auto report =
      InspectModel(folder.Write("more.safetensors", TensorsFile(tensors)));
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->problem, "");
  EXPECT_EQ(report->surplus, std::vector<std::string>{"model_ema.decay"});
  EXPECT_THAT(report->ToText(),
              HasSubstr("surplus     1 tensor that nothing reads: "
                        "model_ema.decay\n"));
}

// The latent upscaler's network has the class name of the usual one.
TEST(ModelReportTest, LooksAtAnUpscalerAsItsPipelineDoes) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  std::filesystem::remove_all(model + "/unet");
  std::filesystem::remove_all(model + "/scheduler");
  std::filesystem::copy(SourcePath("tests/data/latent_upscaler"), model,
                        std::filesystem::copy_options::recursive);
  auto index = nlohmann::json::parse(ReadFile(model + "/model_index.json"));
  index["_class_name"] = "StableDiffusionLatentUpscalePipeline";
  std::filesystem::remove(model + "/model_index.json");
  folder.Write("model/model_index.json", index.dump());
  EXPECT_EQ(InspectModel(model)->problem, "");
  const std::string name = "unet/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(model + "/" + name);
  ASSERT_EQ(tensors.erase("conv_out.bias"), 1u);
  std::filesystem::remove(model + "/" + name);
  folder.Write("model/" + name, TensorsFile(tensors));
  EXPECT_EQ(InspectModel(model)->problem,
            "unet: tensor \"conv_out.bias\" is missing");
}

TEST(ModelReportTest, WhatTheServerRefusesIsAProblem) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  std::filesystem::remove_all(model + "/tokenizer");
  EXPECT_THAT(InspectModel(model)->problem, HasSubstr("tokenizer"));
}

// Parts that no usual pipeline has, by their own configurations.
TEST(ModelReportTest, KnowsWhatOtherPartsAskFor) {
  const TestFolder folder;
  folder.Write("part/config.json", "{}");
  folder.Write("part/model.safetensors", TensorsFile({{"odd", at::ones({1})}}));
  for (const auto& [class_name, tensor] :
       {std::pair("DPTForDepthEstimation", "dpt.embeddings.cls_token"),
        std::pair("CLIPVisionModelWithProjection",
                  "vision_model.embeddings.class_embedding"),
        std::pair("AutoencoderTiny", "decoder.layers.0.weight")}) {
    const TensorFaults found =
        FaultyTensors("", class_name, folder.path() + "/part");
    EXPECT_THAT(found.faults, ::testing::Contains(absl::StrCat(
                                  "tensor \"", tensor, "\" is missing")))
        << class_name;
    EXPECT_EQ(found.surplus, std::vector<std::string>{"odd"}) << class_name;
  }
}

TEST(ModelReportTest, AFileWithoutAModelHasAProblem) {
  const TestFolder folder;
  const auto empty = InspectModel(Header(folder, nlohmann::json::object()));
  ASSERT_THAT(empty, IsOk());
  EXPECT_EQ(empty->problem, "holds no tensors");
  const std::string path = Header(
      folder,
      {{"odd", {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}}}});
  const auto report = InspectModel(path);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->ToText(),
              StartsWith(path + "\nproblem     holds no model of a known"));
  EXPECT_THAT(report->ToText(), HasSubstr("contents        1 tensors, "));
  EXPECT_EQ(report->ToJson()["problem"], report->problem);
  EXPECT_EQ(report->ToJson()["parts"][0]["class"], "");
}

TEST(ModelReportTest, ASingleComponentIsNoModel) {
  const auto report = InspectModel(TinyModelFolder() +
                                   "/vae/diffusion_pytorch_model.safetensors");
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->problem,
              StartsWith("holds a single component (AutoencoderKL)"));
}

// Not the float32 that they are once they have their scales.
TEST(ModelReportTest, ScaledTensorsAreOfTheTypeInTheFile) {
  const TestFolder folder;
  FixedTensors tensors;
  tensors.Add("a.weight", at::ones({2, 2}).to(at::kFloat8_e4m3fn));
  tensors.Add("a.weight_scale", at::ones({1}));
  const auto report = InspectModel(WriteLora(folder, "scaled", tensors));
  ASSERT_THAT(report, IsOk());
  ASSERT_EQ(report->parts.size(), 1u);
  EXPECT_EQ(report->parts[0].parameters, 4);
  EXPECT_THAT(report->parts[0].stored_bytes,
              ::testing::ElementsAre(::testing::Pair("float8_e4m3fn", 4)));
}

TEST(ModelReportTest, ShowsNoControlCharactersOfAFile) {
  const TestFolder folder;
  const std::string evil = "a\x1b[31m\r\u009b";
  const auto report = InspectModel(Header(
      folder,
      {{"__metadata__", {{evil, evil}, {"long", std::string(99, 'x') + evil}}},
       {evil, {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}}}}));
  ASSERT_THAT(report, IsOk());
  const std::string text = report->ToText();
  EXPECT_THAT(text, HasSubstr("begin with a\uFFFD[31m"));
  for (const char* control : {"\x1b", "\r", "\u009b"}) {
    EXPECT_THAT(text, Not(HasSubstr(control)));
  }
}

TEST(ModelReportTest, LongMetadataAreCutBetweenCharacters) {
  const TestFolder folder;
  std::string long_text = "x";
  for (int i = 0; i < 100; ++i) long_text += "\u591c";
  const auto report =
      InspectModel(Header(folder, {{"__metadata__", {{"a", long_text}}}}));
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->ToText(),
              AllOf(HasSubstr("\u591c...\n"), Not(HasSubstr("\uFFFD"))));
}

TEST(ModelReportTest, NamesWhatIsNoModel) {
  const TestFolder folder;
  EXPECT_THAT(InspectModel(folder.Write("a.safetensors", "x")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "a.safetensors"));
  EXPECT_THAT(InspectModel(folder.path() + "/none").status(),
              StatusIs(absl::StatusCode::kNotFound, "none"));
}

}  // namespace
}  // namespace genzo
