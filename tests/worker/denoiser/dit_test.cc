#include "worker/denoiser/dit.h"

#include "ATen/ops/tensor.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/denoiser/transformer_test.h"
#include "worker/weights/weights.h"

namespace genzo {
namespace {

constexpr int64_t kWidth = 16;
constexpr int64_t kClasses = 3;

class DitTest : public ::testing::Test {
 protected:
  DitTest()
      : config_({.in_channels = 4,
                 .out_channels = 8,
                 .sample_size = 8,
                 .num_layers = 2,
                 .classes = kClasses,
                 .heads = {.width = kWidth, .heads = 2, .head_dim = 8}}),
        source_(std::make_shared<RandomTensors>(
            RandomDit(config_.num_layers, kWidth, kClasses))),
        weights_(source_, at::kFloat, at::kCPU),
        network_(config_, weights_) {}

  static Conditioning Classes(const std::vector<double>& classes) {
    return {.numbers = at::tensor(classes, at::kFloat).unsqueeze(1)};
  }

  c10::InferenceMode inference_;
  const DitConfig config_;
  const std::shared_ptr<const TensorSource> source_;
  const Weights weights_;
  const Dit network_;
};

TEST_F(DitTest, TakesEveryTensor) { EXPECT_THAT(weights_.Finish(), IsOk()); }

TEST_F(DitTest, RowsAreOnTheirOwn) {
  ExpectRowsOnTheirOwn(network_, *source_, at::randn({4, 4, 6, 8}),
                       Classes({0, 2, 1, 3}));
}

TEST_F(DitTest, KnowsTheClassThatIsNoneAndNoFurther) {
  EXPECT_THAT(network_.Prepare(Classes({kClasses})), IsOk());
  for (const double none : {kClasses + 1.0, -1.0}) {
    EXPECT_THAT(network_.Prepare(Classes({none})),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "a class is not between 0 and 3"));
  }
}

TEST(DitConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(ReadDitConfig(folder.Write("a", R"({"norm_type":"layer_norm"})")),
              StatusIs(absl::StatusCode::kUnimplemented, "norm_type"));
  EXPECT_THAT(
      ReadDitConfig(folder.Write("b", R"({"in_channels":4,"out_channels":12,
                       "norm_type":"ada_norm_zero"})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "out_channels 12"));
}

}  // namespace
}  // namespace genzo
