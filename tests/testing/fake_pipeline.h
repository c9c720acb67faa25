#ifndef GENZO_TESTS_TESTING_FAKE_PIPELINE_H_
#define GENZO_TESTS_TESTING_FAKE_PIPELINE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "absl/synchronization/mutex.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {

// What a fake pipeline is to do, and what it saw. Thread-safe where threads of
// the engine meet.
struct FakeBehaviour {
  // Asked before every evaluation, with the prompts of its rows; may throw.
  std::function<void(const std::vector<double>& prompts)> before_evaluation;
  // Asked before an encoding; may throw.
  std::function<void(const v1::GenerateRequest& request)> before_encoding;
  // Asked for what a step's prediction is; 1 by default.
  std::function<double(double prompt)> prediction;
  std::vector<std::vector<double>> evaluations;  // prompts of each one's rows
  int stages = 1;
};

// A prompt as a fake encoder reads it: its number. "7" -> 7.
inline double PromptNumber(const std::string& prompt) {
  return prompt.empty() ? 0 : std::stod(prompt);
}

// Counts evaluations: the latent of one element is the sum of all predictions.
class FakeWalk : public SamplerRun {
 public:
  explicit FakeWalk(int steps) : steps_(steps) {}

  std::optional<Query> Next() const override {
    if (done_ == steps_) return std::nullopt;
    return Query{latent_, static_cast<double>(steps_ - done_)};
  }
  void Take(const at::Tensor& prediction) override {
    latent_ = latent_ + prediction;
    ++done_;
  }
  NoiseLevel level() const override { return {1, 0}; }
  const at::Tensor& latent() const override { return latent_; }
  const at::Tensor& denoised() const override { return latent_; }
  void Replace(at::Tensor latent) override { latent_ = std::move(latent); }
  WalkProgress progress() const override {
    return {.steps_done = done_,
            .steps = steps_,
            .evaluations_done = done_,
            .evaluations = steps_};
  }
  void Save(SamplerState& state) const override {
    state.SetTensor("latent", latent_);
    state.SetInteger("done", done_);
  }
  absl::Status Restore(const SamplerState& state) override {
    StateReader reader(state);
    latent_ = reader.Tensor("latent", latent_);
    done_ = static_cast<int>(reader.Integer("done", 0, steps_));
    return reader.status();
  }

 private:
  const int steps_;
  int done_ = 0;
  at::Tensor latent_ = at::zeros({1, 1, 1, 1});
};

class FakeDenoiser : public Denoiser {
 public:
  explicit FakeDenoiser(FakeBehaviour& behaviour) : behaviour_(behaviour) {}

  // Of prompts [R, 1, 1].
  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override {
    return std::make_shared<Prepared>(Prepared{
        .rows = conditioning.tokens.size(0), .tensors = {conditioning.tokens}});
  }
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return at::zeros({static_cast<int64_t>(times.size()), 1});
  }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor&,
                     const Prepared& prepared) const override {
    std::vector<double> prompts;
    for (int64_t row = 0; row < sample.size(0); ++row) {
      prompts.push_back(prepared.tensors[0][row].item<double>());
    }
    if (behaviour_.before_evaluation) behaviour_.before_evaluation(prompts);
    behaviour_.evaluations.push_back(prompts);
    at::Tensor prediction = at::zeros(sample.sizes());
    for (int64_t row = 0; row < sample.size(0); ++row) {
      prediction[row].fill_(
          behaviour_.prediction ? behaviour_.prediction(prompts[row]) : 1.0);
    }
    return prediction;
  }
  Placement placement() const override { return {}; }

 private:
  FakeBehaviour& behaviour_;
};

class FakeCodec : public LatentCodec {
 public:
  LatentDistribution Encode(const at::Tensor& pixels) const override {
    const at::Tensor one = at::full({1, 1, 1, 1}, 1.0f);
    return {.mean = one, .deviation = one};
  }
  at::Tensor Scale(const at::Tensor& encoded) const override { return encoded; }
  at::Tensor Decode(const at::Tensor& latents) const override {
    return at::zeros({latents.size(0), 3, 8, 8}) +
           latents.mean({1, 2, 3}, /*keepdim=*/true) / 255;
  }
  at::Tensor Preview(const at::Tensor& denoised, PreviewKind) const override {
    return Decode(denoised);
  }
  bool has_tiny() const override { return false; }
  int64_t latent_channels() const override { return 1; }
  int64_t pixels_per_latent() const override { return 8; }
  int64_t weight_bytes() const override { return 0; }
};

// A pipeline of one-element tensors, for tests of what is around pipelines.
class FakePipeline : public Pipeline {
 public:
  // `behaviour` outlives it.
  explicit FakePipeline(FakeBehaviour& behaviour)
      : behaviour_(behaviour), denoiser_(behaviour) {
    traits_.family = "fake";
    traits_.tasks = {v1::TASK_TEXT_TO_IMAGE};
    traits_.default_width = traits_.default_height = 8;
    traits_.samplers = {v1::SAMPLER_DDIM};
    traits_.defaults.sampler = v1::SAMPLER_DDIM;
  }

  const PipelineTraits& traits() const override { return traits_; }
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool, TextCache&) const override {
    std::vector<absl::StatusOr<Encoded>> encoded;
    for (const EncodeTask& task : tasks) {
      const v1::GenerateRequest& request = task.request;
      if (behaviour_.before_encoding) behaviour_.before_encoding(request);
      const int rows = RowsOf(traits_, request.guidance_scale());
      const at::Tensor tokens =
          at::full({rows, 1, 1}, PromptNumber(request.prompt()));
      encoded.push_back(Encoded{
          .prepared = std::vector<PreparedRef>(
              behaviour_.stages, *denoiser_.Prepare({.tokens = tokens}))});
    }
    return encoded;
  }
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override {
    std::vector<Stage> stages;
    for (const PreparedRef& prepared : encoded.prepared) {
      stages.push_back({.denoiser = &denoiser_,
                        .prepared = prepared,
                        .guidance = {.rows = static_cast<int>(prepared->rows)},
                        .sampler = std::make_unique<FakeWalk>(
                            static_cast<int>(image.request.steps()))});
    }
    return stages;
  }
  const LatentCodec& codec() const override { return codec_; }
  const Denoiser& denoiser() const override { return denoiser_; }
  PreparedRef PrepareEmpty() const override {
    return *denoiser_.Prepare({.tokens = at::zeros({1, 1, 1})});
  }
  Placement placement() const override { return {}; }
  int64_t weight_bytes() const override { return 1; }

 private:
  FakeBehaviour& behaviour_;
  const FakeDenoiser denoiser_;
  const FakeCodec codec_;
  PipelineTraits traits_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_FAKE_PIPELINE_H_
