#include "worker/engine/evaluate_controls.h"

#include <random>

#include "ATen/TensorOperators.h"
#include "ATen/ops/rand.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_control.h"
#include "worker/pipeline/control_networks.h"

namespace genzo {
namespace {

struct Painted {
  v1::GenerateRequest request;
  std::vector<ControlHint> controls;
};

class EvaluateControlsTest : public ::testing::Test {
 protected:
  EvaluateControlsTest()
      : canny_(*LoadControl(WriteTinyControl(folder_, "canny"), Placement())),
        depth_(*LoadControl(WriteTinyControl(folder_, "depth", 0.7),
                            Placement())) {}

  ControlHint Hint(const std::shared_ptr<const ControlNetwork>& network) {
    return {.network = network, .picture = at::rand({1, 3, 64, 64})};
  }

  static v1::GenerateRequest Request(uint64_t seed) {
    v1::GenerateRequest request;
    request.set_prompt("a fox");
    request.set_negative_prompt("blurry");
    request.set_guidance_scale(7.5);
    request.set_sampler(v1::SAMPLER_EULER);
    request.set_steps(5);
    request.set_seed(seed);
    request.set_width(64);
    request.set_height(64);
    return request;
  }

  static genzo::Run MakeRun(const Painted& painted) {
    TextCache texts(/*max_bytes=*/1 << 20);
    EncodeTask task = {.request = painted.request,
                       .controls = painted.controls};
    if (painted.request.has_image_to_image()) {
      task.picture = at::full({1, 3, 64, 64}, 0.5);
    }
    const auto encoded =
        TinyPipeline().Encode({task}, /*together=*/true, texts);
    return genzo::Run(*TinyPipeline().Plan(
        {.request = painted.request,
         .noise = std::make_shared<SeededNoise>(painted.request.seed())},
        *encoded[0]));
  }

  static at::Tensor Alone(const Painted& painted) {
    std::vector<genzo::Run> runs;
    runs.push_back(MakeRun(painted));
    FinishRuns(runs);
    return runs[0].latent();
  }

  // The latent of a request with one control that `change` has changed.
  template <typename Change>
  at::Tensor With(const Change& change) {
    ControlHint hint = Hint(canny_);
    hint.picture = fixed_;
    change(hint);
    return Alone({Request(1), {hint}});
  }

  c10::InferenceMode inference_;
  const TestFolder folder_;
  const std::shared_ptr<const ControlNetwork> canny_;
  const std::shared_ptr<const ControlNetwork> depth_;
  const at::Tensor fixed_ = at::rand({1, 3, 64, 64});
};

TEST_F(EvaluateControlsTest, ARunLoadsWithWhatSteersItNow) {
  EXPECT_EQ(MakeRun({Request(1), {}}).load(), 1);
  EXPECT_EQ(MakeRun({Request(1), {Hint(canny_), Hint(depth_)}}).load(), 2);
  ControlHint guess = Hint(canny_);
  guess.guess = true;
  EXPECT_EQ(MakeRun({Request(1), {guess}}).load(), 1.25);
  ControlHint late = Hint(canny_);
  late.begin = 0.5;
  EXPECT_EQ(MakeRun({Request(1), {late}}).load(), 1);
}

// Everything that controls may differ in, drawn.
TEST_F(EvaluateControlsTest, RowsWithAnyControlsEqualTheirSoloRuns) {
  std::mt19937 random(5);
  const auto draw = [&](int n) { return static_cast<int>(random() % n); };
  std::vector<Painted> all;
  for (int i = 0; i < 10; ++i) {
    Painted painted = {Request(i), {}};
    v1::GenerateRequest& request = painted.request;
    request.set_guidance_scale(draw(3) == 0 ? 1 : 7.5);
    request.set_sampler(draw(2) == 0 ? v1::SAMPLER_EULER : v1::SAMPLER_PNDM);
    request.set_steps(2 + draw(4));
    if (draw(4) == 0) request.mutable_image_to_image()->set_strength(0.6);
    for (int n = draw(4); n > 0; --n) {
      ControlHint hint = Hint(draw(2) == 0 ? canny_ : depth_);
      hint.weight = 0.25 * (1 + draw(7));
      hint.begin = draw(3) == 0 ? 0.3 : 0;
      hint.end = draw(3) == 0 ? 0.7 : 1;
      hint.guess = draw(3) == 0;
      painted.controls.push_back(hint);
    }
    all.push_back(std::move(painted));
  }
  std::vector<genzo::Run> together;
  for (const Painted& painted : all) together.push_back(MakeRun(painted));
  for (const genzo::Run& run : together) {
    EXPECT_EQ(run.key(), together[0].key()) << "may share an evaluation";
  }
  FinishRuns(together);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_THAT(together[i].latent(), TensorEquals(Alone(all[i]))) << i;
  }
}

TEST_F(EvaluateControlsTest, RowsThatFillUpChangeNothing) {
  genzo::Run run = MakeRun({Request(1), {Hint(canny_)}});
  PreparedJoiner joiner;
  const auto alone = Evaluate({&run}, joiner);
  const auto padded = Evaluate({&run}, joiner, /*padded_rows=*/5);
  ASSERT_THAT(padded, IsOk());
  EXPECT_THAT((*padded)[0], TensorEquals((*alone)[0]));
}

TEST_F(EvaluateControlsTest, HintsWeightsAndRangesCount) {
  const at::Tensor plain = Alone({Request(1), {}});
  const at::Tensor steered = With([](ControlHint&) {});
  EXPECT_FALSE(at::equal(steered, plain));
  EXPECT_THAT(With([](ControlHint& hint) { hint.weight = 0; }),
              TensorEquals(plain));
  EXPECT_THAT(With([](ControlHint& hint) { hint.end = 0.1; }),
              TensorEquals(plain))
      << "no step of five is over by then";
  for (const auto& changed :
       {With([](ControlHint& hint) { hint.picture = hint.picture * 0; }),
        With([](ControlHint& hint) { hint.weight = 0.5; }),
        With([](ControlHint& hint) { hint.begin = 0.5; }),
        With([](ControlHint& hint) { hint.guess = true; })}) {
    EXPECT_FALSE(at::equal(changed, steered));
    EXPECT_FALSE(at::equal(changed, plain));
  }
}

// One call for all rows that a network steers, none for the others.
class CountingNetwork : public ControlNetwork {
 public:
  explicit CountingNetwork(std::shared_ptr<const ControlNetwork> network)
      : network_(std::move(network)) {}

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override {
    return network_->Prepare(conditioning);
  }
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return network_->EmbedTimes(times);
  }
  ControlResiduals Forward(const at::Tensor& sample, const at::Tensor& times,
                           const Prepared& prepared) const override {
    rows.push_back(sample.size(0));
    return network_->Forward(sample, times, prepared);
  }
  Placement placement() const override { return network_->placement(); }
  bool reads_latents() const override { return false; }

  mutable std::vector<int64_t> rows;  // of each call

 private:
  const std::shared_ptr<const ControlNetwork> network_;
};

TEST_F(EvaluateControlsTest, ANetworkIsCalledOnceForTheRowsThatHaveIt) {
  const auto counting = std::make_shared<CountingNetwork>(canny_);
  ControlHint guess = Hint(counting);
  guess.guess = true;
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRun({Request(1), {}}));
  runs.push_back(MakeRun({Request(2), {Hint(counting)}}));
  runs.push_back(MakeRun({Request(3), {guess, Hint(depth_)}}));
  PreparedJoiner joiner;
  ASSERT_THAT(Evaluate({&runs[0], &runs[1], &runs[2]}, joiner), IsOk());
  EXPECT_EQ(counting->rows, (std::vector<int64_t>{3}))
      << "two rows, and the prompt's alone where it is to guess";
}

}  // namespace
}  // namespace genzo
