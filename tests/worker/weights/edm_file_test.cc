#include "worker/weights/single_file/edm_file.h"

#include <map>
#include <string>

#include "ATen/ops/full.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tiny_lora.h"

namespace genzo {
namespace {

using nlohmann::json;

FixedTensors Tensors(const std::map<std::string, at::Tensor>& tensors) {
  FixedTensors all;
  for (const auto& [name, tensor] : tensors) all.Add(name, tensor);
  return all;
}

TEST(EdmFileTest, PlaygroundSaysWhatItsLatentsAre) {
  const auto file = ReadEdmFile(Tensors(
      {{"edm_mean", at::tensor({-1.5, 2.0, -1.25, 2.5}).view({1, 4, 1, 1})},
       {"edm_std", at::tensor({8.5, 6.0, 6.5, 5.25}).view({1, 4, 1, 1})}}));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->scheduler["_class_name"], "EDMDPMSolverMultistepScheduler");
  EXPECT_EQ(file->vae, json({{"latents_mean", {-1.5, 2.0, -1.25, 2.5}},
                             {"latents_std", {8.5, 6.0, 6.5, 5.25}},
                             {"scaling_factor", 0.5}}));
}

TEST(EdmFileTest, CosXlSaysHowNoisyItBegins) {
  const auto file =
      ReadEdmFile(Tensors({{"edm_vpred.sigma_max", at::full({}, 120.0)},
                           {"edm_vpred.sigma_min", at::full({}, 0.25)}}));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->scheduler, json({{"_class_name", "EDMEulerScheduler"},
                                   {"prediction_type", "v_prediction"},
                                   {"sigma_data", 1.0},
                                   {"sigma_max", 120.0},
                                   {"sigma_min", 0.25},
                                   {"sigma_schedule", "exponential"}}));
  EXPECT_TRUE(file->vae.empty());
}

TEST(EdmFileTest, OthersSayNothing) {
  const auto file = ReadEdmFile(Tensors({{"v_pred", at::ones({1})}}));
  ASSERT_THAT(file, IsOk());
  EXPECT_TRUE(file->scheduler.is_null());
}

TEST(EdmFileTest, NamesWhatIsWrong) {
  EXPECT_THAT(ReadEdmFile(Tensors({{"edm_mean", at::ones({4})}})),
              StatusIs(kInvalid, "test: has no tensor \"edm_std\""));
  EXPECT_THAT(ReadEdmFile(Tensors({{"edm_mean", at::ones({257})}})),
              StatusIs(kInvalid, "\"edm_mean\" has 257 numbers, not 1 to 256"));
  EXPECT_THAT(
      ReadEdmFile(Tensors({{"edm_vpred.sigma_max", at::ones({2})}})),
      StatusIs(kInvalid, "\"edm_vpred.sigma_max\" has 2 numbers, not 1 to 1"));
}

}  // namespace
}  // namespace genzo
