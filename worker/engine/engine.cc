#include "worker/engine/engine.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/engine/evaluate.h"
#include "worker/engine/exception_status.h"
#include "worker/engine/preview_plan.h"

namespace genzo {
namespace {

constexpr uint32_t kMinSidePixels = 64;
constexpr char kFamily[] = "stable-diffusion";

// `status` as the client of a run hears of it.
absl::Status EvaluationFailed(const absl::Status& status) {
  return ErrorWithReason(status.code(), "EVALUATION_FAILED",
                         std::string(status.message()));
}

v1::Model Describe(const std::string& id, const DiffusionModel& model,
                   const Config& config) {
  v1::Model description;
  description.set_id(id);
  description.set_state(v1::Model::STATE_RESIDENT);
  description.set_family(kFamily);
  const int64_t multiple = std::max<int64_t>(8, model.pixels_per_latent());
  const int64_t largest = std::min<int64_t>(model.default_side_pixels(),
                                            config.limits.max_side_pixels);
  const int64_t side = std::max(multiple, largest / multiple * multiple);
  description.set_default_width(side);
  description.set_default_height(side);
  v1::ModelLimits& limits = *description.mutable_limits();
  limits.set_size_multiple(multiple);
  limits.set_min_side(std::min<uint32_t>(kMinSidePixels, side));
  limits.set_max_side(config.limits.max_side_pixels);
  limits.set_max_steps(
      std::min(config.limits.max_steps, model.train_timesteps()));
  limits.set_max_image_count(config.limits.max_image_count);
  limits.set_max_clip_skip(model.text_layers() - 1);
  description.add_samplers(model.default_sampler());
  for (const SamplerSpec& spec : Samplers()) {
    const bool usable =
        ParseSchedulerConfig(model.scheduler(), spec.scheduler_class).ok();
    if (usable && spec.id != model.default_sampler()) {
      description.add_samplers(spec.id);
    }
  }
  description.set_weight_bytes(model.weight_bytes());
  description.set_dtype(config.dtype);
  return description;
}

}  // namespace

Engine::Engine(const Config& config, const Placement& placement,
               const EngineDependencies& dependencies)
    : config_(config),
      placement_(placement),
      dependencies_(dependencies),
      batcher_(config.max_batch_rows) {
  // At once, so that an early request hears "loading" and not "unknown".
  for (const ModelConfig& model_config : config_.models) {
    v1::Model description;
    description.set_id(model_config.id);
    description.set_state(v1::Model::STATE_LOADING);
    dependencies_.catalog.Put(description);
  }
}

Engine::~Engine() = default;

void Engine::Work(const std::function<void()>& on_loaded) {
  c10::InferenceMode inference;
  at::set_num_threads(config_.threads > 0
                          ? config_.threads
                          : std::max(1u, std::thread::hardware_concurrency()));
  LoadModels();
  decode_stage_ = std::make_unique<DecodeStage>(
      config_.max_live_runs, dependencies_.clock, dependencies_.metrics);
  if (!stopping_) on_loaded();
  while (Admit()) {
    const std::vector<LiveRun*> picked = Pick();
    if (picked.empty()) continue;
    const auto predictions = EvaluateRuns(picked);
    if (predictions.ok()) Advance(picked, *predictions);
  }
  decode_stage_.reset();
}

void Engine::Stop() { stopping_ = true; }

void Engine::LoadModels() {
  for (const ModelConfig& model_config : config_.models) {
    if (stopping_) return;
    const absl::Time begin = dependencies_.clock.Now();
    auto model = DiffusionModel::Load(model_config.path, placement_);
    const double seconds =
        absl::ToDoubleSeconds(dependencies_.clock.Now() - begin);
    ModelMetrics& metrics = dependencies_.metrics.ForModel(model_config.id);
    metrics.loaded.Set(model.ok() ? 1 : 0);
    metrics.load_seconds.Set(seconds);
    if (!model.ok()) {
      spdlog::error("model {} failed to load: {}", model_config.id,
                    std::string(model.status().message()));
      v1::Model description;
      description.set_id(model_config.id);
      description.set_state(v1::Model::STATE_FAILED);
      description.set_error(std::string(model.status().message()));
      dependencies_.catalog.Put(description);
      continue;
    }
    spdlog::info("model {} loaded in {:.2f} s, {:.1f} MB of weights",
                 model_config.id, seconds,
                 static_cast<double>((*model)->weight_bytes()) / 1e6);
    dependencies_.catalog.Put(Describe(model_config.id, **model, config_));
    models_[model_config.id] = *std::move(model);
  }
}

bool Engine::HasRoom() const {
  return live_.size() < static_cast<size_t>(config_.max_live_runs);
}

bool Engine::Admit() {
  DropUnwanted();
  while (HasRoom()) {
    std::unique_ptr<JobLease> lease = live_.empty()
                                          ? dependencies_.queue.Take()
                                          : dependencies_.queue.TryTake();
    if (lease == nullptr) return !live_.empty();
    Start(std::move(lease));
  }
  return true;
}

void Engine::DropUnwanted() {
  const auto unwanted = [](const std::unique_ptr<LiveRun>& live) {
    return !live->job->Wanted();
  };
  live_.erase(std::remove_if(live_.begin(), live_.end(), unwanted),
              live_.end());
}

void Engine::Start(std::unique_ptr<JobLease> lease) {
  const std::string& id = lease->job().request().model();
  const auto found = models_.find(id);
  if (found == models_.end()) {
    return lease->Fail(
        ErrorWithReason(absl::StatusCode::kFailedPrecondition, "MODEL_FAILED",
                        absl::StrCat("model ", id, " is not loaded")));
  }
  const auto job = std::make_shared<JobState>(
      std::move(lease), *found->second, dependencies_.clock,
      dependencies_.metrics.ForModel(id));
  absl::Status status;
  try {
    status = StartRuns(job);
  } catch (const std::exception&) {
    status = EvaluationFailed(StatusFromException("text encoding failed"));
  }
  if (!status.ok()) job->Fail(status);
}

absl::Status Engine::StartRuns(const std::shared_ptr<JobState>& job) {
  const v1::GenerateRequest& request = job->request();
  const DiffusionModel& model = job->model();
  const Guidance guidance = {.scale = request.guidance_scale(),
                             .rescale = request.guidance_rescale()};
  const absl::Time begin = dependencies_.clock.Now();
  const at::Tensor context =
      model.EncodePrompt(request.prompt(), request.negative_prompt(),
                         guidance.active(), request.clip_skip());
  job->TextEncoded(dependencies_.clock.Now() - begin);

  for (uint32_t i = 0; i < request.image_count(); ++i) {
    auto live = std::make_unique<LiveRun>();
    live->seed = request.seed() + i;
    auto noise = std::make_shared<SeededNoise>(live->seed);
    const at::Tensor initial = noise->Draw(
        {1, model.latent_channels(),
         static_cast<int64_t>(request.height()) / model.pixels_per_latent(),
         static_cast<int64_t>(request.width()) / model.pixels_per_latent()});
    auto sampler = CreateSampler(
        request.sampler(), model.scheduler(),
        {.steps = static_cast<int>(request.steps()), .eta = request.eta()},
        {.noise = initial, .source = std::move(noise)});
    if (absl::IsInvalidArgument(sampler.status())) {
      return InvalidFieldsError(
          {{"steps", std::string(sampler.status().message())}});
    }
    if (!sampler.ok()) return sampler.status();
    live->run = {.model = &model,
                 .sampler = *std::move(sampler),
                 .context = context,
                 .guidance = guidance};
    live->job = job;
    live->image_index = static_cast<int>(i);
    live->last_step = dependencies_.clock.Now();
    live_.push_back(std::move(live));
  }
  return absl::OkStatus();
}

std::vector<Engine::LiveRun*> Engine::Pick() {
  std::vector<ShapeKey> shapes;
  std::vector<Candidate> candidates;
  for (const auto& live : live_) {
    const ShapeKey key = ShapeOf(live->run);
    const auto found = std::find(shapes.begin(), shapes.end(), key);
    candidates.push_back({.shape = static_cast<int>(found - shapes.begin()),
                          .rows = live->run.rows()});
    if (found == shapes.end()) shapes.push_back(key);
  }
  std::vector<LiveRun*> picked;
  for (int index : batcher_.Pick(candidates)) {
    picked.push_back(live_[index].get());
  }
  return picked;
}

absl::StatusOr<std::vector<at::Tensor>> Engine::EvaluateRuns(
    const std::vector<LiveRun*>& picked) {
  std::vector<Run*> runs;
  int rows = 0;
  for (LiveRun* live : picked) {
    runs.push_back(&live->run);
    rows += live->run.rows();
  }
  const absl::Time begin = dependencies_.clock.Now();
  auto predictions = Evaluate(runs);
  if (!predictions.ok()) return FailPicked(picked, predictions.status());
  ModelMetrics& metrics =
      dependencies_.metrics.ForModel(picked[0]->job->request().model());
  metrics.StepSeconds(rows).Observe(
      absl::ToDoubleSeconds(dependencies_.clock.Now() - begin));
  metrics.batch_size.Observe(rows);
  metrics.denoise_batches.Increment();
  metrics.denoise_steps.Increment(static_cast<double>(picked.size()));
  return predictions;
}

absl::Status Engine::FailPicked(const std::vector<LiveRun*>& picked,
                                const absl::Status& status) {
  spdlog::error("evaluation of {} runs failed: {}", picked.size(),
                std::string(status.message()));
  for (LiveRun* live : picked) {
    live->job->Fail(EvaluationFailed(status));
  }
  return status;
}

void Engine::Advance(const std::vector<LiveRun*>& picked,
                     const std::vector<at::Tensor>& predictions) {
  for (size_t i = 0; i < picked.size(); ++i) {
    LiveRun& live = *picked[i];
    const absl::Status advanced = genzo::Advance(live.run, predictions[i]);
    if (!advanced.ok()) {
      live.job->Fail(EvaluationFailed(advanced));
      continue;
    }
    const absl::Time now = dependencies_.clock.Now();
    const absl::Duration took = now - live.last_step;
    live.mean_step = live.run.sampler->steps_done() == 1
                         ? took
                         : 0.7 * live.mean_step + 0.3 * took;
    live.last_step = now;
    Publish(live);
  }
  const auto finished = [](const std::unique_ptr<LiveRun>& live) {
    return live->run.sampler->steps_done() == live->run.sampler->steps();
  };
  live_.erase(std::remove_if(live_.begin(), live_.end(), finished),
              live_.end());
}

void Engine::Publish(LiveRun& live) {
  const SamplerRun& sampler = *live.run.sampler;
  const int step = sampler.steps_done();
  const int steps = sampler.steps();
  live.job->StepDone(live.image_index, step, steps,
                     live.mean_step * (steps - step));
  DecodeTask task = {.job = live.job,
                     .image_index = live.image_index,
                     .latent = {},
                     .seed = live.seed,
                     .step = step,
                     .steps = steps};
  if (step < steps && PreviewDue(live.job->request().preview(), step)) {
    task.latent = sampler.denoised();
    task.is_final = false;
    decode_stage_->Submit(task);
  }
  if (step == steps) {
    task.latent = sampler.latent();
    task.is_final = true;
    decode_stage_->Submit(std::move(task));
  }
}

}  // namespace genzo
