#include "tools/tool/model_report.h"

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

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

TEST(ModelReportTest, TellsWhatAFileLacks) {
  const std::string path = SourcePath(
      "../shared/reference/models/single-file/flux1-dev.safetensors");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no reference models";
  const auto report = InspectModel(path);
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->family, "flux");
  EXPECT_EQ(report->missing, (std::vector<std::string>{
                                 "text_encoder", "text_encoder_2", "vae"}));
  EXPECT_EQ(report->metadata.at("format"), "pt");
  EXPECT_THAT(report->ToText(), HasSubstr("missing     text_encoder"));
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
