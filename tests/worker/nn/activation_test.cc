#include "worker/nn/activation.h"

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

JsonConfig Config(const std::string& act) {
  return JsonConfig({{"act", act}}, "some/config.json");
}

// Numbers of diffusers' get_activation() and transformers' ACT2FN.
TEST(ActivationTest, IsWhatTheReferencesMeanByItsName) {
  const at::Tensor x = at::tensor({-2.0f, -0.5f, 0.5f, 2.0f});
  const std::pair<const char*, at::Tensor> known[] = {
      {"silu", at::tensor({-0.2384058f, -0.1887703f, 0.3112297f, 1.761594f})},
      {"swish", at::tensor({-0.2384058f, -0.1887703f, 0.3112297f, 1.761594f})},
      {"gelu", at::tensor({-0.04550028f, -0.1542688f, 0.3457312f, 1.9545f})},
      {"mish", at::tensor({-0.2525015f, -0.2207438f, 0.3752452f, 1.943959f})},
      {"relu", at::tensor({0.0f, 0.0f, 0.5f, 2.0f})},
      {"quick_gelu",
       at::tensor({-0.06434137f, -0.1496116f, 0.3503884f, 1.935659f})},
      {"gelu_new",
       at::tensor({-0.04540229f, -0.154286f, 0.345714f, 1.954598f})},
      {"gelu_pytorch_tanh",
       at::tensor({-0.04540229f, -0.154286f, 0.345714f, 1.954598f})}};
  for (const auto& [name, expected] : known) {
    JsonConfig config = Config(name);
    const Activation act = ReadTransformersActivation(config, "act", "relu");
    EXPECT_THAT(config.status(), IsOk()) << name;
    EXPECT_THAT(Activate(x, act), TensorNear(expected, 1e-6)) << name;
  }
}

TEST(ActivationTest, UnknownOnesAreRefusedByFileAndKey) {
  JsonConfig transformers = Config("tanh");
  ReadTransformersActivation(transformers, "act", "gelu");
  EXPECT_THAT(transformers.status(),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "some/config.json: act \"tanh\" is not one of silu"));
  JsonConfig diffusers = Config("gelu_new");
  ReadDiffusersActivation(diffusers, "act", "silu");
  EXPECT_THAT(diffusers.status(),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "is not one of silu, swish, gelu, mish, relu"));
}

}  // namespace
}  // namespace genzo
