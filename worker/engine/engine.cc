#include "worker/engine/engine.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "ATen/ops/cat.h"
#include "ATen/ops/sum.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/device/thread_count.h"
#include "worker/engine/evaluate.h"
#include "worker/engine/preview_plan.h"

namespace genzo {
namespace {

// `status` as the client of a run hears of it.
absl::Status EvaluationFailed(const absl::Status& status) {
  return ErrorWithReason(status.code(), "EVALUATION_FAILED",
                         std::string(status.message()));
}

absl::Status NotFinite(const JobState& job, int step) {
  return ErrorWithReason(
      absl::StatusCode::kInternal, "NOT_FINITE",
      absl::StrCat("step ", step, " of model ", job.request().model(),
                   " gave values that are not finite numbers"));
}

// Of the places, those that images may take up until their models are loaded:
// a flood for one that is not keeps nobody from those that are.
constexpr double kParkedShare = 0.5;

size_t ImagesOf(const std::vector<std::unique_ptr<JobLease>>& leases) {
  size_t images = 0;
  for (const auto& lease : leases) {
    images += lease->job().request().image_count();
  }
  return images;
}

}  // namespace

Engine::Engine(const Config& config, const EngineDevice& device,
               const EngineDependencies& dependencies)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      batcher_(config.max_wait_steps),
      texts_(int64_t{config.text_cache_mb} << 20),
      models_(config_, device_, dependencies_,
              /*on_unloaded=*/[this] { forget_texts_ = true; }) {}

Engine::~Engine() = default;

void Engine::Work(const std::function<void()>& on_loaded) {
  c10::InferenceMode inference;
  const DeviceStream stream(device_.placement.device, StreamPriority::kHigh);
  const DeviceStream::Scope on_stream(stream);
  if (device_.placement.device.is_cpu()) {
    UseThreads(device_.threads);
  } else {
    UseThreadsHere(device_.threads);  // a CPU beside it has settings of its own
  }
  models_.LoadConfigured(stopping_);
  decode_stage_ = std::make_unique<DecodeStage>(
      config_.max_live_runs,
      /*threads=*/[this] { return idle_ ? device_.threads : 1; },
      DeviceStream(device_.placement.device, StreamPriority::kLow),
      dependencies_.clock, dependencies_.metrics, dependencies_.board);
  if (!stopping_) on_loaded();
  while (Admit()) {
    const Batch batch = Pick();
    if (batch.runs.empty()) continue;
    const auto predictions = EvaluateRuns(batch);
    if (!predictions.ok()) continue;
    Advance(batch, *predictions);
    Publish(batch);
  }
  models_.pool().Stop();
  decode_stage_.reset();
  texts_.Clear();
  gatherer_.Clear();
}

void Engine::Stop() {
  stopping_ = true;
  dependencies_.queue.Nudge();
}

// --- admit -------------------------------------------------------------------

TenantCounts Engine::LiveBy(const Leases& taken) const {
  TenantCounts live;
  for (const auto& run : live_) ++live[run->job->work().tenant];
  for (const auto& lease : taken) {
    live[lease->job().tenant()] += lease->job().request().image_count();
  }
  return live;
}

TakeRules Engine::RulesFor(const TenantCounts& live) const {
  TakeRules rules;
  if (models_.ready().size() < config_.models.size()) {
    rules.preferred_models = models_.ready();
  }
  rules.only_preferred =
      ImagesOf(parked_) >= config_.max_live_runs * kParkedShare;
  rules.except_tenants = TenantsWithEnough(live, config_.max_live_runs);
  // Another may have to load the model first.
  rules.leave_to_others = rules.preferred_models.empty() &&
                          dependencies_.board.OthersAreFreer(device_.index);
  return rules;
}

// One more than those that were just taken, or null: no room or no job.
std::unique_ptr<JobLease> Engine::TakeJob(const Leases& taken) {
  const TenantCounts live = LiveBy(taken);
  const bool is_full =
      IsFull(TotalOf(live) + ImagesOf(parked_), config_.max_live_runs);
  if (!live.empty()) {
    return is_full ? nullptr
                   : Claim(dependencies_.queue.TryTake(RulesFor(live)));
  }
  shares_ = {};  // of a device that nobody uses
  // A job that waits for its model does not keep others waiting: a loaded model
  // nudges the queue. Once that hands out nothing more, or too many wait, the
  // model is all there is to wait for.
  if (!is_full && (parked_.empty() || !dependencies_.queue.Done())) {
    return Claim(dependencies_.queue.Take(RulesFor(live)));
  }
  models_.pool().AwaitChange();
  return nullptr;
}

std::unique_ptr<JobLease> Engine::Claim(std::unique_ptr<JobLease> lease) {
  if (lease != nullptr) {
    dependencies_.board.Start(lease->job().id(), device_.index);
  }
  return lease;
}

bool Engine::Admit() {
  DropUnwanted();
  if (forget_texts_.exchange(false)) {
    texts_.Clear();
    gatherer_.Clear();
  }
  models_.Adopt(/*busy=*/!live_.empty());
  // What was parked first; then what waits, taken together as texts that arrive
  // together are encoded together.
  Leases leases = std::exchange(parked_, {});
  do {
    Start(std::exchange(leases, {}));
    while (auto lease = TakeJob(leases)) leases.push_back(std::move(lease));
  } while (!leases.empty());
  return !live_.empty() || !parked_.empty() || !dependencies_.queue.Done();
}

void Engine::DropUnwanted() {
  const auto unwanted = [](const std::unique_ptr<LiveRun>& live) {
    return !live->job->Wanted();
  };
  live_.erase(std::remove_if(live_.begin(), live_.end(), unwanted),
              live_.end());
  const auto cancelled = [](const std::unique_ptr<JobLease>& lease) {
    if (lease->cancelled()) lease->Fail(JobCancelledError());
    return lease->cancelled();
  };
  parked_.erase(std::remove_if(parked_.begin(), parked_.end(), cancelled),
                parked_.end());
}

void Engine::Start(Leases leases) {
  std::map<std::string, std::vector<std::shared_ptr<JobState>>> by_model;
  for (auto& lease : leases) {
    const std::string id = lease->job().request().model();
    const auto model = models_.pool().Hold(id);
    if (model == nullptr) {
      const absl::Status failure = models_.pool().Failure(id);
      if (!failure.ok()) {
        lease->Fail(failure);
      } else {
        models_.pool().Request(id);
        parked_.push_back(std::move(lease));
      }
      continue;
    }
    auto job =
        std::make_shared<JobState>(std::move(lease), model, dependencies_.clock,
                                   dependencies_.metrics.ForModel(id));
    if (job->Wanted()) by_model[id].push_back(std::move(job));
  }
  for (const auto& [id, jobs] : by_model) StartTogether(jobs);
}

void Engine::StartTogether(const std::vector<std::shared_ptr<JobState>>& jobs) {
  std::vector<std::shared_ptr<const TextContext>> contexts;
  try {
    contexts = EncodeTexts(jobs);
  } catch (const std::exception&) {
    const absl::Status status = StatusFromException("text encoding failed");
    if (jobs.size() == 1) return jobs[0]->Fail(EvaluationFailed(status));
    // One job's fault, or too much memory for all at once.
    for (const auto& job : jobs) StartTogether({job});
    return;
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    absl::Status started;
    try {
      started = StartRuns(jobs[i], contexts[i]);
    } catch (const std::exception&) {
      started = EvaluationFailed(StatusFromException("starting it failed"));
    }
    if (!started.ok()) jobs[i]->Fail(started);
  }
}

std::vector<std::shared_ptr<const TextContext>> Engine::EncodeTexts(
    const std::vector<std::shared_ptr<JobState>>& jobs) {
  const absl::Time begin = dependencies_.clock.Now();
  const DiffusionModel& model = jobs[0]->model();
  std::vector<TextCache::Text> texts;
  std::vector<size_t> counts;
  for (const auto& job : jobs) {
    const v1::GenerateRequest& request = job->request();
    const auto added = PromptTexts(request.prompt(), request.negative_prompt(),
                                   job->work().rows == 2, request.clip_skip());
    texts.insert(texts.end(), added.begin(), added.end());
    counts.push_back(added.size());
  }
  std::vector<at::Tensor> encoded;
  if (models_.profile(jobs[0]->request().model()).rows_independent) {
    encoded = texts_.Encode(model, texts);
  } else {
    for (const TextCache::Text& text : texts) {
      encoded.push_back(texts_.Encode(model, {text})[0]);
    }
  }
  ModelMetrics& metrics =
      dependencies_.metrics.ForModel(jobs[0]->request().model());
  const auto [hits, misses] = texts_.TakeHitsAndMisses();
  metrics.text_hits.Increment(static_cast<double>(hits));
  metrics.text_misses.Increment(static_cast<double>(misses));
  std::vector<std::shared_ptr<const TextContext>> contexts;
  auto next = encoded.begin();
  for (size_t count : counts) {
    const at::Tensor rows =
        at::cat(std::vector<at::Tensor>(next, next + count));
    contexts.push_back(
        std::make_shared<TextContext>(model.ProjectContext(rows)));
    next += static_cast<std::ptrdiff_t>(count);
  }
  for (const auto& job : jobs) {
    job->TextEncoded(dependencies_.clock.Now() - begin);
  }
  return contexts;
}

absl::Status Engine::StartRuns(
    const std::shared_ptr<JobState>& job,
    const std::shared_ptr<const TextContext>& context) {
  const v1::GenerateRequest& request = job->request();
  const DiffusionModel& model = job->model();
  const absl::Time start_by = dependencies_.board.StartBy(job->work());
  const bool canonical =
      request.mode() == v1::GenerateRequest::MODE_REPRODUCIBLE &&
      !models_.profile(request.model()).rows_independent;
  std::vector<std::unique_ptr<LiveRun>> runs;
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
                 .guidance = {.scale = request.guidance_scale(),
                              .rescale = request.guidance_rescale()}};
    live->job = job;
    live->image_index = static_cast<int>(i);
    live->start_by = start_by;
    live->canonical = canonical;
    runs.push_back(std::move(live));
  }
  idle_ = false;
  for (auto& live : runs) {
    dependencies_.board.Advance(job->id(), live->image_index,
                                live->run.sampler->steps());
    live_.push_back(std::move(live));
  }
  return absl::OkStatus();
}

// --- pick --------------------------------------------------------------------

ShapeLimits Engine::LimitsOf(const LiveRun& live) const {
  const JobWork& work = live.job->work();
  int cap = dependencies_.board.RowCap(work.model, work.pixels,
                                       config_.max_batch_rows);
  cap = std::min(cap, models_.RowsThatFit(work.model, work.pixels));
  const auto limited = memory_caps_.find({work.model, work.pixels});
  if (limited != memory_caps_.end()) cap = std::min(cap, limited->second);
  return {.row_cap = cap,
          .times = dependencies_.board.StepSeconds(
              work, std::max(cap, kMostRowsOfImage))};
}

Engine::Batch Engine::Pick() {
  const absl::Time now = dependencies_.clock.Now();
  candidates_.Clear();
  for (const auto& live : live_) {
    const JobWork& work = live->job->work();
    Candidate& candidate =
        candidates_.Add(work.tenant, ShapeOf(live->run), live->run.rows(),
                        [&] { return LimitsOf(*live); });
    candidate.weight = work.weight;
    candidate.slack = absl::ToDoubleSeconds(live->start_by - now);
    candidate.waited = live->waited;
    candidate.fresh = live->run.sampler->steps_done() == 0;
    candidate.fills = live->canonical;
  }
  Batch batch;
  for (int index :
       batcher_.Pick(candidates_.candidates(), candidates_.limits(), shares_)) {
    const Candidate& picked = candidates_.candidates()[index];
    batch.runs.push_back(live_[index].get());
    batch.rows += picked.rows;
    if (live_[index]->canonical) {
      batch.evaluated_rows = candidates_.limits()[picked.shape].row_cap;
    }
  }
  batch.evaluated_rows = std::max(batch.evaluated_rows, batch.rows);
  for (const auto& live : live_) ++live->waited;
  for (LiveRun* live : batch.runs) live->waited = 0;
  return batch;
}

// --- evaluate ----------------------------------------------------------------

absl::StatusOr<std::vector<at::Tensor>> Engine::EvaluateRuns(
    const Batch& batch) {
  std::vector<Run*> runs;
  for (LiveRun* live : batch.runs) runs.push_back(&live->run);
  const absl::Time begin = dependencies_.clock.Now();
  const JobWork& work = batch.job().work();
  dependencies_.board.Begin(device_.index, work, batch.evaluated_rows, begin);
  const bool leaves_a_core =
      decode_stage_->Busy() && models_.profile(work.model).threads_independent;
  auto predictions =
      Evaluate(runs, gatherer_, batch.evaluated_rows,
               leaves_a_core ? device_.fewer_threads : device_.threads);
  if (absl::IsResourceExhausted(predictions.status())) {
    OutOfMemory(batch, predictions.status());
    return predictions.status();
  }
  if (!predictions.ok()) {
    FailBatch(batch, predictions.status());
    return predictions.status();
  }
  const absl::Duration took = dependencies_.clock.Now() - begin;
  const int rows = batch.evaluated_rows;
  dependencies_.board.Observe(work.model, work.pixels, rows, took);
  ModelMetrics& metrics = dependencies_.metrics.ForModel(work.model);
  metrics.StepSeconds(rows).Observe(absl::ToDoubleSeconds(took));
  metrics.batch_size.Observe(batch.rows);
  metrics.denoise_batches.Increment();
  metrics.denoise_steps.Increment(static_cast<double>(batch.runs.size()));
  return predictions;
}

// The runs stay as they were and are tried again, fewer at a time.
void Engine::OutOfMemory(const Batch& batch, const absl::Status& status) {
  const JobWork& work = batch.job().work();
  dependencies_.metrics.ForModel(work.model).out_of_memory.Increment();
  gatherer_.Clear();
  if (batch.evaluated_rows == batch.runs[0]->run.rows()) {
    return FailBatch(batch, status);
  }
  const int cap = std::max(1, batch.evaluated_rows / 2);
  memory_caps_[{work.model, work.pixels}] = cap;
  spdlog::warn("out of memory with {} rows of model {}; trying {}",
               batch.evaluated_rows, work.model, cap);
}

void Engine::FailBatch(const Batch& batch, const absl::Status& status) {
  spdlog::error("evaluation of {} runs failed: {}", batch.runs.size(),
                std::string(status.message()));
  for (LiveRun* live : batch.runs) live->job->Fail(EvaluationFailed(status));
}

// --- advance and publish -----------------------------------------------------

void Engine::Advance(const Batch& batch,
                     const std::vector<at::Tensor>& predictions) {
  for (size_t i = 0; i < batch.runs.size(); ++i) {
    LiveRun& live = *batch.runs[i];
    const absl::Status advanced = genzo::Advance(live.run, predictions[i]);
    const SamplerRun& sampler = *live.run.sampler;
    if (!advanced.ok()) {
      live.job->Fail(EvaluationFailed(advanced));
    } else if (!std::isfinite(sampler.latent().sum().item<float>())) {
      live.job->Fail(NotFinite(*live.job, sampler.steps_done()));
    }
    dependencies_.board.Advance(live.job->id(), live.image_index,
                                sampler.steps() - sampler.steps_done());
  }
}

void Engine::Publish(const Batch& batch) {
  const auto finished = [](const std::unique_ptr<LiveRun>& live) {
    return live->run.sampler->steps_done() == live->run.sampler->steps();
  };
  idle_ = std::all_of(live_.begin(), live_.end(), finished);
  const absl::Time now = dependencies_.clock.Now();
  const auto predicted = dependencies_.board.PredictAll(now);
  // More than fits in one evaluation: the device has no time for sharp
  // previews that nobody asked for by name.
  const bool busy = batch.runs.size() < live_.size() || live_.size() > 2;
  for (LiveRun* live : batch.runs) {
    const SamplerRun& sampler = *live->run.sampler;
    const int step = sampler.steps_done();
    const int steps = sampler.steps();
    const auto found = predicted.find(live->job->id());
    live->job->StepDone({.image_index = live->image_index,
                         .step = step,
                         .steps = steps,
                         .batch_rows = batch.rows,
                         .time_left = found == predicted.end()
                                          ? absl::ZeroDuration()
                                          : found->second});
    const v1::PreviewPlan& plan = live->job->request().preview();
    DecodeTask task = {.job = live->job,
                       .image_index = live->image_index,
                       .latent = sampler.latent(),
                       .alone = live->canonical,
                       .seed = live->seed,
                       .step = step,
                       .steps = steps,
                       .submitted = now};
    if (step == steps) {
      decode_stage_->Submit(std::move(task));
    } else if (PreviewDue(plan, step)) {
      task.latent = sampler.denoised();
      task.is_final = false;
      task.decoder = PreviewDecoder(
          plan, {.step = step,
                 .steps = steps,
                 .busy = busy,
                 .has_tiny = live->job->model().decoder().has_tiny()});
      decode_stage_->Submit(std::move(task));
    }
  }
  live_.erase(std::remove_if(live_.begin(), live_.end(), finished),
              live_.end());
}

}  // namespace genzo
