#include "worker/engine/engine.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ATen/TensorOperators.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/thread_count.h"
#include "worker/engine/evaluate.h"

namespace genzo {
Engine::Engine(const Config& config, const EngineDevice& device,
               const EngineDependencies& dependencies,
               EncodeStage::Where encode)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      encode_(encode),
      figures_(dependencies.metrics.ForDevice(device.name())),
      step_figures_(device_, dependencies_),
      scheduler_(config.max_live_runs, config.max_wait_steps),
      models_(
          config_, device_, dependencies_,
          /*on_unloaded=*/[this] { forget_models_ = true; },
          /*on_other_files=*/
          [this](const std::string& id, const ModelFiles& files) {
            judges_.AddModel(id, files);
          }),
      adapters_(dependencies.loras, device.placement, device.adapter_bytes,
                models_.spare_memory(), figures_,
                /*on_change=*/[this] { dependencies_.queue.Nudge(); }),
      judges_(config.scorers, config.safety.checker, device.placement.device) {
  for (const ModelConfig& model : config_.models) {
    judges_.KnowModel(model.id, model.files());
  }
  models_.SetAdapters(&adapters_);
}

Engine::~Engine() { models_.SetAdapters(nullptr); }

void Engine::Add(const ModelConfig& model) {
  judges_.KnowModel(model.id, model.files());
  models_.Add(model);
}

void Engine::Remove(const std::string& id) {
  models_.Remove(id);
  judges_.RemoveModel(id);
}

void Engine::Work(const std::function<void()>& on_loaded) {
  c10::InferenceMode inference;
  const c10::Device& device = device_.placement.device;
  const DeviceStream stream(device, StreamPriority::kHigh);
  const DeviceStream::Scope on_stream(stream);
  UseThreads(device_.threads);
  figures_.up.Set(1);
  figures_.budget_bytes.Set(static_cast<double>(device_.memory_bytes));
  models_.LoadConfigured(stopping_);
  encode_stage_ = std::make_unique<EncodeStage>(
      int64_t{config_.text_cache_mb} << 20,
      DeviceStream(device, StreamPriority::kLow), dependencies_,
      /*on_encoded=*/[this] { dependencies_.queue.Nudge(); }, encode_,
      &models_.side_networks());
  decode_stage_ = std::make_unique<DecodeStage>(
      config_.max_live_runs,
      /*threads=*/[this] { return idle_ ? device_.threads : 1; },
      DeviceStream(device, StreamPriority::kLow), dependencies_.clock,
      dependencies_.metrics, finisher_,
      /*on_decoded=*/
      [this](const JobDemand& demand, absl::Duration took) {
        dependencies_.load.speeds().ObserveDecode(device_.index, demand, took);
      });
  MakeUpscaleStage();
  intake_ = std::make_unique<Intake>(config_, device_, dependencies_, models_,
                                     adapters_, scheduler_, *encode_stage_,
                                     *upscale_stage_);
  publisher_ =
      std::make_unique<Publisher>(dependencies_.clock, dependencies_.load,
                                  *decode_stage_, dependencies_.latents);
  if (!stopping_) on_loaded();
  while (Admit()) {
    Batch batch = Pick();
    if (batch.runs.empty()) continue;
    Advance(EvaluateBatch(batch), batch);
    Publish(batch);
  }
  models_.loader().Stop();
  encode_stage_.reset();
  decode_stage_->Stop();
  upscale_stage_.reset();  // writes through the decode stage
  decode_stage_.reset();
  joiner_.Clear();
}

void Engine::MakeUpscaleStage() {
  const c10::Device& device = device_.placement.device;
  upscale_stage_ = std::make_unique<UpscaleStage>(
      UpscaleStage::Options{
          .upscalers = dependencies_.upscalers,
          .queue = dependencies_.upscaling,
          .device = device,
          .memory_bytes = int64_t{config_.upscale_memory_mb} << 20,
          .threads = [this] { return idle_ ? device_.threads : 1; },
          .on_done =
              [this] {
                dependencies_.queue.Nudge();
                // A model that is to leave may be that of what has arrived.
                models_.loader().Wake();
              }},
      DeviceStream(device, StreamPriority::kLow), dependencies_.clock,
      dependencies_.metrics);
  carrier_ = std::make_unique<RunCarrier>(*upscale_stage_);
  decode_stage_->SetEnlarge(
      [this](const DecodeTask& task, at::Tensor decoded, auto done) {
        upscale_stage_->Submit(
            {.job = task.job,
             .image_index = task.image_index,
             .upscaler = task.job->request().output().upscaler(),
             .size = {},
             .pixels = [decoded] { return ((decoded + 1) / 2).clamp(0, 1); },
             .done =
                 [done](absl::StatusOr<at::Tensor> larger) {
                   if (larger.ok()) *larger = *larger * 2 - 1;
                   done(std::move(larger));
                 }});
      });
}

void Engine::Stop() {
  if (!stopping_.exchange(true)) stopped_.Notify();
  dependencies_.queue.Nudge();
}

// --- admit -------------------------------------------------------------------

TenantCounts Engine::LiveImages() const {
  TenantCounts live;
  for (const auto& run : live_) ++live[run->job->demand().tenant];
  return live;
}

// Out of use, the device has no runs: they go back to the queue, which hands
// them to another, who goes on where they stood. Probed now and then, it may
// come back.
void Engine::SitOut() {
  spdlog::error("device {} fails every evaluation and is taken out",
                device_.placement.device.str());
  if (dependencies_.on_health) dependencies_.on_health(false);
  figures_.up.Set(0);
  dependencies_.load.backlog().SetState(device_.index, {.out = true});
  GiveBackRuns();
  intake_->GiveBack();
  joiner_.Clear();
  while (!health_.usable() && !stopped_.HasBeenNotified()) {
    const absl::Duration rest = health_.retry_at() - dependencies_.clock.Now();
    if (rest > absl::ZeroDuration() &&
        stopped_.WaitForNotificationWithTimeout(rest)) {
      break;
    }
    Probe();
    GiveBackRuns();  // what was being enlarged
  }
  dependencies_.load.backlog().SetState(device_.index, {});
  figures_.up.Set(health_.usable() ? 1 : 0);
  if (health_.usable() && dependencies_.on_health) {
    dependencies_.on_health(true);
  }
}

void Engine::GiveBackRuns() {
  TakeArrived();
  for (const auto& live : live_) {
    live->job->KeepRun(live->image_index, live->run.Save());
  }
  live_.clear();
}

bool Engine::Probe() {
  health_.Probed(ProbeDevice(device_.placement.device),
                 dependencies_.clock.Now());
  return health_.usable();
}

bool Engine::Admit() {
  if (!health_.usable()) SitOut();
  if (!health_.usable()) return false;
  DropUnwanted();
  if (live_.empty()) {
    step_figures_.Rest();
    dependencies_.load.backlog().SetState(device_.index, {});  // nobody owes
  }
  if (forget_models_.exchange(false)) {
    encode_stage_->ForgetTexts();
    adapters_.Clear();
    joiner_.Clear();
    memory_caps_.Clear();
  }
  models_.Adopt(/*busy=*/!live_.empty());
  TakeArrived();
  figures_.live_images.Set(static_cast<double>(live_.size()));
  for (EncodedJob& job : intake_->Next(LiveImages())) Start(std::move(job));
  TakeArrived();
  figures_.live_images.Set(static_cast<double>(live_.size()));
  // In this order: what the intake does not count any more has arrived.
  return !live_.empty() || !intake_->Done() || !carrier_->empty();
}

void Engine::TakeArrived() {
  for (auto& live : carrier_->TakeArrived()) {
    idle_ = false;
    live_.push_back(std::move(live));
  }
}

void Engine::DropUnwanted() {
  const auto unwanted = [](const std::unique_ptr<LiveRun>& live) {
    return !live->job->Wanted();
  };
  live_.erase(std::remove_if(live_.begin(), live_.end(), unwanted),
              live_.end());
  if (live_.empty() && carrier_->empty()) idle_ = true;
  intake_->DropUnwanted();
}

void Engine::Start(EncodedJob encoded) {
  JobState& job = *encoded.job;
  if (!encoded.encoded.ok()) {
    // Not the job's fault if the device is broken: it goes to another.
    const bool suspect = absl::IsInternal(encoded.encoded.status());
    if (!suspect || Probe()) job.Fail(encoded.encoded.status());
    return;
  }
  auto runs = BuildRuns(encoded.job, *encoded.encoded);
  if (!runs.ok()) return job.Fail(runs.status());
  const JobDemand& demand = job.demand();
  // A second pass is larger than the request's size.
  int64_t pixels = demand.pixels;
  for (const auto& live : *runs) {
    pixels = std::max(pixels, live->run.most_pixels());
  }
  const absl::Status fits =
      models_.Fits(demand.model, pixels,
                   static_cast<int>(std::ceil(demand.rows * demand.load)));
  if (!fits.ok()) return job.Fail(fits);
  const absl::Time latest_start =
      dependencies_.load.speeds().LatestStart(demand);
  const bool reproducible =
      job.request().reproducibility() == v1::REPRODUCIBILITY_REPRODUCIBLE &&
      !models_.profile(demand.model).rows_independent;
  const int decoded_together = models_.PicturesThatFit(demand.model, pixels);
  idle_ = false;
  for (int i = 0;
       static_cast<int>(runs->size()) < demand.images && i < demand.images;
       ++i) {
    dependencies_.load.backlog().StepsLeft(job.id(), i, 0);  // it has ended
  }
  for (auto& live : *runs) {
    live->latest_start = latest_start;
    live->reproducible = reproducible;
    live->decoded_together = decoded_together;
    const WalkProgress progress = live->run.progress();
    dependencies_.load.backlog().StepsLeft(
        job.id(), live->image_index,
        progress.evaluations - progress.evaluations_done);
    live_.push_back(std::move(live));
  }
}

// --- pick --------------------------------------------------------------------

JobDemand Engine::DemandOfStage(const LiveRun& live) {
  JobDemand demand = live.job->demand();
  const int64_t pixels = live.run.stage().pixels;
  if (pixels > 0) demand.pixels = pixels;
  return demand;
}

ShapeLimits Engine::LimitsOf(const LiveRun& live, bool reproducible) const {
  const JobDemand demand = DemandOfStage(live);
  const ModelSpeeds& speeds = dependencies_.load.speeds();
  ShapeLimits limits;
  if (reproducible) {
    limits.row_cap = models_.ReproducibleRows(demand.model, demand.pixels);
  } else {
    const int fit = models_.RowsThatFit(demand.model, demand.pixels);
    const int worth =
        speeds.RowCap(device_.index, demand, config_.max_batch_rows);
    limits.row_cap =
        memory_caps_.Cap(demand.model, demand.pixels, std::min(worth, fit),
                         dependencies_.clock.Now());
    limits.memory_rows = fit;
  }
  limits.times = speeds.StepSeconds(device_.index, demand,
                                    std::max(limits.row_cap, live.run.rows()));
  return limits;
}

Batch Engine::Pick() {
  const absl::Time now = dependencies_.clock.Now();
  Candidates candidates;
  std::set<std::string> reproducible;  // shapes
  for (const auto& live : live_) {
    if (live->reproducible) reproducible.insert(live->run.shape());
  }
  for (const auto& live : live_) {
    const JobDemand& demand = live->job->demand();
    const std::string& shape = live->run.shape();
    const auto [limits, is_new] = candidates.shapes.try_emplace(shape);
    if (is_new) {
      limits->second = LimitsOf(*live, reproducible.count(shape) > 0);
    }
    const int rows = live->run.rows();
    const double load = live->run.load();
    candidates.runs.push_back(
        {.shape = shape,
         .tenant = demand.tenant,
         .priority = demand.priority,
         .rows = rows,
         .load = load,
         .cost = limits->second.TimeOf(rows) * load,
         .slack = absl::ToDoubleSeconds(live->latest_start - now),
         .waited = live->waited,
         .fresh = live->run.progress().evaluations_done == 0,
         .reproducible = live->reproducible});
  }
  Batch batch;
  double loads = 0;  // of all rows
  for (int index : scheduler_.WhomToPick(candidates)) {
    const Candidate& picked = candidates.runs[index];
    batch.runs.push_back(live_[index].get());
    batch.rows += picked.rows;
    loads += picked.rows * picked.load;
    batch.row_cap = candidates.shapes.at(picked.shape).row_cap;
    if (picked.reproducible) {
      batch.padded_rows = batch.row_cap;
    }
  }
  if (batch.rows > 0) batch.load = loads / batch.rows;
  batch.padded_rows = std::max(batch.padded_rows, batch.rows);
  for (const auto& live : live_) ++live->waited;
  for (LiveRun* live : batch.runs) live->waited = 0;
  return batch;
}

// --- evaluate ----------------------------------------------------------------

absl::StatusOr<std::vector<at::Tensor>> Engine::EvaluateTogether(
    const Batch& batch) {
  std::vector<Run*> runs;
  bool reproducible = false;
  for (LiveRun* live : batch.runs) {
    runs.push_back(&live->run);
    reproducible = reproducible || live->reproducible;
  }
  return Evaluate(runs, joiner_, reproducible ? batch.padded_rows : 0);
}

Engine::Predictions Engine::EvaluateBatch(const Batch& batch) {
  const absl::Time begin = dependencies_.clock.Now();
  const JobDemand demand = DemandOfStage(*batch.runs[0]);
  ModelSpeeds& speeds = dependencies_.load.speeds();
  dependencies_.load.backlog().SetState(
      device_.index,
      {.busy_until =
           begin +
           speeds.Of(device_.index, demand).costs.At(batch.padded_rows) *
               batch.load,
       .owing = scheduler_.owing()});
  auto together = EvaluateTogether(batch);
  if (absl::IsResourceExhausted(together.status())) {
    return OutOfMemory(batch, together.status());
  }
  health_.Evaluated(together.status(), dependencies_.clock.Now());
  if (!together.ok()) {
    spdlog::error("evaluation of {} runs failed: {}", batch.runs.size(),
                  std::string(together.status().message()));
    return EvaluateEachAlone(batch);
  }
  const absl::Time end = dependencies_.clock.Now();
  // What is learned is of the model alone.
  speeds.Observe(device_.index, demand, batch.padded_rows,
                 (end - begin) / batch.load);
  step_figures_.Observe(batch, demand, begin, end);
  Predictions predictions;
  for (at::Tensor& row : *together) predictions.push_back(std::move(row));
  return predictions;
}

// One run's fault is not its mates': whoever fails alone too is at fault,
// unless all do and the device is.
Engine::Predictions Engine::EvaluateEachAlone(const Batch& batch) {
  Predictions predictions;
  bool any = false;
  for (LiveRun* live : batch.runs) {
    const Batch alone = {.runs = {live},
                         .rows = live->run.rows(),
                         .padded_rows = live->reproducible ? batch.padded_rows
                                                           : live->run.rows()};
    const auto predicted = EvaluateTogether(alone);
    health_.Evaluated(predicted.status(), dependencies_.clock.Now());
    any = any || predicted.ok();
    if (predicted.ok()) {
      predictions.emplace_back((*predicted)[0]);
    } else {
      predictions.emplace_back(predicted.status());
    }
  }
  if (!any && health_.usable()) Probe();
  return health_.usable() ? predictions
                          : Predictions(batch.runs.size(), std::nullopt);
}

// The runs stay as they were and are tried again, fewer at a time.
Engine::Predictions Engine::OutOfMemory(const Batch& batch,
                                        const absl::Status& status) {
  const JobDemand demand = DemandOfStage(*batch.runs[0]);
  dependencies_.metrics.ForModel(demand.model).out_of_memory.Increment();
  joiner_.Clear();
  if (batch.padded_rows == batch.runs[0]->run.rows()) {
    return Predictions(batch.runs.size(), status);
  }
  // Other rows would be other bits: a reproducible run is refused instead.
  Predictions predictions;
  bool refused = false;
  for (const LiveRun* live : batch.runs) {
    predictions.emplace_back(std::nullopt);
    if (live->reproducible) predictions.back() = status;
    refused = refused || live->reproducible;
  }
  if (refused) return predictions;
  const int cap =
      memory_caps_.OutOfMemory(demand.model, demand.pixels, batch.padded_rows,
                               dependencies_.clock.Now());
  spdlog::warn("out of memory with {} rows of model {}; trying {}",
               batch.padded_rows, demand.model, cap);
  return predictions;
}

// --- advance and publish -----------------------------------------------------

void Engine::Advance(const Predictions& predictions, Batch& batch) {
  std::vector<LiveRun*> advanced;
  for (size_t i = 0; i < batch.runs.size(); ++i) {
    LiveRun& live = *batch.runs[i];
    if (!predictions[i].has_value()) continue;  // tried again
    absl::Status taken = predictions[i]->status();
    if (taken.ok()) taken = live.run.Take(**predictions[i]);
    if (!taken.ok()) {
      live.job->FailImage(live.image_index,
                          WithReason(taken, kEvaluationFailed));
      live.failed = true;
    } else {
      advanced.push_back(&live);
    }
    const WalkProgress progress = live.run.progress();
    dependencies_.load.backlog().StepsLeft(
        live.job->id(), live.image_index,
        taken.ok() ? progress.evaluations - progress.evaluations_done : 0);
  }
  batch.runs = std::move(advanced);
}

void Engine::Publish(const Batch& batch) {
  const auto ended = [](const std::unique_ptr<LiveRun>& live) {
    return live->failed || live->run.finished();
  };
  idle_ = std::all_of(live_.begin(), live_.end(), [&](const auto& live) {
    return ended(live) || live->run.hop() != nullptr;
  });
  publisher_->Publish(batch, live_.size());
  live_.erase(std::remove_if(live_.begin(), live_.end(), ended), live_.end());
  for (auto& live : live_) {
    if (live->run.hop() != nullptr) carrier_->Carry(std::move(live));
  }
  live_.erase(std::remove(live_.begin(), live_.end(), nullptr), live_.end());
}

}  // namespace genzo
