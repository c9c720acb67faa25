#include "worker/engine/evaluate.h"

#include "ATen/Parallel.h"
#include "ATen/record_function.h"
#include "absl/strings/match.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

v1::GenerateRequest Request(const std::string& prompt, double guidance,
                            v1::Sampler sampler, int steps, uint64_t seed) {
  v1::GenerateRequest request;
  request.set_prompt(prompt);
  request.set_negative_prompt("blurry");
  request.set_guidance_scale(guidance);
  request.set_sampler(sampler);
  request.set_steps(steps);
  request.set_seed(seed);
  request.set_width(64);
  request.set_height(64);
  return request;
}

std::vector<v1::GenerateRequest> MixedRequests() {
  std::vector<v1::GenerateRequest> requests = {
      Request("a fox", 7.5, v1::SAMPLER_DDIM, 6, 1),
      Request("a cat", 1.0, v1::SAMPLER_EULER, 4, 2),
      Request("fog", 3.0, v1::SAMPLER_EULER_ANCESTRAL, 5, 3),
      Request("", 9.0, v1::SAMPLER_DPMPP_2M, 7, 4),
      Request("a fox", 7.5, v1::SAMPLER_PNDM, 3, 5),
      Request("a pirate ship", 5.0, v1::SAMPLER_DPMPP_2M, 9, 6)};
  requests[3].set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  requests[5].mutable_image_to_image()->set_strength(0.6);
  return requests;
}

genzo::Run MakeRun(const v1::GenerateRequest& request) {
  return MakeRunOf(TinyPipeline(), request);
}

std::vector<genzo::Run> MixedRuns() {
  std::vector<genzo::Run> runs;
  for (const auto& request : MixedRequests()) runs.push_back(MakeRun(request));
  return runs;
}

TEST(EvaluateTest, ABatchedRunEqualsTheSameRunAlone) {
  std::vector<genzo::Run> together = MixedRuns();
  FinishRuns(together);
  for (size_t i = 0; i < together.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRun(MixedRequests()[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

TEST(EvaluateTest, TheSameSeedGivesTheSameLatents) {
  std::vector<genzo::Run> first = MixedRuns();
  std::vector<genzo::Run> second = MixedRuns();
  FinishRuns(first);
  FinishRuns(second);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_THAT(first[i].latent(), TensorEquals(second[i].latent()));
  }
}

TEST(EvaluateTest, RowsThatFillUpChangeNothing) {
  for (const double guidance : {1.0, 7.5}) {
    genzo::Run run =
        MakeRun(Request("a fox", guidance, v1::SAMPLER_DDIM, 4, 1));
    PreparedJoiner joiner;
    const auto alone = Evaluate({&run}, joiner);
    const auto padded = Evaluate({&run}, joiner, /*padded_rows=*/5);
    ASSERT_THAT(padded, IsOk());
    ASSERT_EQ(padded->size(), 1u);
    EXPECT_THAT((*padded)[0], TensorEquals((*alone)[0]));
    EXPECT_EQ(run.rows(), guidance > 1 ? 2 : 1);
  }
}

// The operators that this thread calls while the observer lives, and on how
// many threads each may compute.
class OperatorObserver {
 public:
  struct Seen {
    std::string name;
    int threads;
  };

  OperatorObserver()
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(
            [](const at::RecordFunction& function)
                -> std::unique_ptr<at::ObserverContext> {
              seen_.push_back({function.name(), at::get_num_threads()});
              return nullptr;
            }))) {
    seen_.clear();
  }
  ~OperatorObserver() { at::removeCallback(handle_); }

  const std::vector<Seen>& seen() const { return seen_; }

 private:
  static thread_local std::vector<Seen> seen_;
  const at::CallbackHandle handle_;
};

thread_local std::vector<OperatorObserver::Seen> OperatorObserver::seen_;

TEST(EvaluateTest, OnlyTheDenoiserComputesOnAsManyThreadsAsAsked) {
  genzo::Run run = MakeRun(Request("a fox", 7.5, v1::SAMPLER_DDIM, 4, 1));
  PreparedJoiner joiner;
  ASSERT_THAT(Evaluate({&run}, joiner), IsOk());  // fills the timestep table
  const ScopedThreads own(3);
  const OperatorObserver observer;
  ASSERT_THAT(Evaluate({&run}, joiner, /*padded_rows=*/0, /*threads=*/2),
              IsOk());
  int convolutions = 0;
  for (const auto& [name, threads] : observer.seen()) {
    if (!absl::StrContains(name, "conv")) continue;
    ++convolutions;
    EXPECT_EQ(threads, 2) << name;
  }
  EXPECT_GT(convolutions, 10);
  EXPECT_EQ(observer.seen().back().threads, 3) << "guidance";
  EXPECT_EQ(at::get_num_threads(), 3);
}

}  // namespace
}  // namespace genzo
