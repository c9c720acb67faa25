#include "worker/engine/engine.h"

#include <utility>

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/thread_count.h"

namespace genzo {

Engine::Engine(const Config& config, const EngineDevice& device,
               const EngineDependencies& dependencies,
               EncodeStage::Where encode)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      encode_(encode),
      figures_(dependencies.metrics.ForDevice(device.name())),
      scheduler_(config.max_live_runs, config.max_wait_steps),
      evaluator_(device_, dependencies_, memory_caps_, health_),
      models_(
          config_, device_, dependencies_,
          /*on_unloaded=*/[this] { forget_models_ = true; },
          /*on_other_files=*/
          [this](const std::string& id, const ModelFiles& files) {
            judges_.AddModel(id, files);
          }),
      picker_(config_, device_, dependencies_, models_, memory_caps_,
              scheduler_),
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
  const DeviceStream stream(device_.placement.device, StreamPriority::kHigh);
  const DeviceStream::Scope on_stream(stream);
  UseThreads(device_.threads);
  figures_.up.Set(1);
  figures_.budget_bytes.Set(static_cast<double>(device_.memory_bytes));
  models_.LoadConfigured(stopping_);
  MakeStages();
  if (!stopping_) on_loaded();
  while (Admit()) {
    Batch batch = Pick();
    if (batch.runs.empty()) continue;
    Advance(Evaluate(batch), batch);
    Publish(batch);
  }
  models_.loader().Stop();
  // These use the stages, and what they still hold goes back to the queue.
  publisher_.reset();
  intake_.reset();
  live_.reset();
  encode_stage_.reset();
  decode_stage_->Stop();
  upscale_stage_.reset();  // writes through the decode stage
  decode_stage_.reset();
  evaluator_.Forget();
}

void Engine::MakeStages() {
  const c10::Device& device = device_.placement.device;
  const auto beside = [&device] {
    return DeviceStream(device, StreamPriority::kLow);
  };
  encode_stage_ = std::make_unique<EncodeStage>(
      int64_t{config_.text_cache_mb} << 20, beside(), dependencies_,
      /*on_encoded=*/[this] { dependencies_.queue.Nudge(); }, encode_,
      &models_.side_networks());
  decode_stage_ = std::make_unique<DecodeStage>(
      DecodeOptions(), beside(), dependencies_.clock, dependencies_.metrics,
      finisher_);
  upscale_stage_ = std::make_unique<UpscaleStage>(
      UpscaleOptions(), beside(), dependencies_.clock, dependencies_.metrics);
  live_ = std::make_unique<LiveRuns>(dependencies_, models_, *upscale_stage_,
                                     idle_);
  intake_ = std::make_unique<Intake>(config_, device_, dependencies_, models_,
                                     adapters_, scheduler_, *encode_stage_,
                                     *upscale_stage_);
  publisher_ =
      std::make_unique<Publisher>(dependencies_.clock, dependencies_.load,
                                  *decode_stage_, dependencies_.latents);
}

DecodeStage::Options Engine::DecodeOptions() {
  return {
      .max_finals = static_cast<size_t>(config_.max_live_runs),
      .threads = [this] { return idle_ ? device_.threads : 1; },
      .on_decoded =
          [this](const JobDemand& demand, absl::Duration took) {
            dependencies_.load.speeds().ObserveDecode(device_.index, demand,
                                                      took);
          },
      .enlarge =
          [this](const DecodeTask& task, const at::Tensor& decoded, auto done) {
            upscale_stage_->Submit(
                {.job = task.job,
                 .image_index = task.image_index,
                 .upscaler = task.job->request().output().upscaler(),
                 .size = {},
                 .pixels =
                     [decoded] { return ((decoded + 1) / 2).clamp(0, 1); },
                 .done =
                     [done](const at::Tensor& larger) {
                       done(larger * 2 - 1);
                       return absl::OkStatus();
                     }});
          },
      .device_works =
          [this] {
            if (DeviceWorks()) return true;
            Suspect();
            return false;
          }};
}

UpscaleStage::Options Engine::UpscaleOptions() {
  return {.upscalers = dependencies_.upscalers,
          .queue = dependencies_.upscaling,
          .device = device_.placement.device,
          .memory_bytes = int64_t{config_.upscale_memory_mb} << 20,
          .tiles = &figures_.upscale_tiles,
          .threads = [this] { return idle_ ? device_.threads : 1; },
          .on_done =
              [this] {
                dependencies_.queue.Nudge();
                // A model that is to leave may be that of what has arrived.
                models_.loader().Wake();
              },
          .device_works = [this] { return DeviceWorks(); },
          .on_broken = [this] { Suspect(); }};
}

// One that was taken out may pass every probe.
bool Engine::DeviceWorks() const {
  return !out_ && ProbeDevice(device_.placement.device).ok();
}

void Engine::Suspect() {
  suspect_ = true;
  dependencies_.queue.Nudge();
}

void Engine::Stop() {
  if (!stopping_.exchange(true)) stopped_.Notify();
  dependencies_.queue.Nudge();
}

bool Engine::Admit() {
  if (suspect_.exchange(false)) {
    upscale_stage_->SetUsable(evaluator_.Probe());
  }
  if (!health_.usable()) SitOut();
  if (!health_.usable()) return false;
  live_->DropUnwanted();
  intake_->DropUnwanted();
  if (live_->all().empty()) {
    evaluator_.Rest();
    dependencies_.load.backlog().SetState(device_.index, {});  // nobody owes
  }
  if (forget_models_.exchange(false)) {
    encode_stage_->ForgetTexts();
    adapters_.Clear();
    evaluator_.Forget();
    memory_caps_.Clear();
  }
  models_.Adopt(/*busy=*/!live_->all().empty());
  live_->TakeArrived();
  figures_.live_images.Set(static_cast<double>(live_->all().size()));
  for (EncodedJob& job : intake_->Next(live_->ByTenant())) {
    live_->Start(std::move(job), [this] { return evaluator_.Probe(); });
  }
  live_->TakeArrived();
  figures_.live_images.Set(static_cast<double>(live_->all().size()));
  // In this order: what the intake does not count any more has arrived.
  return !live_->all().empty() || !intake_->Done() || !live_->empty();
}

// Out of use, the device has no runs: they go back to the queue, which hands
// them to another, who goes on where they stood. Probed now and then, it may
// come back.
void Engine::SitOut() {
  spdlog::error("device {} fails every evaluation and is taken out",
                device_.placement.device.str());
  out_ = true;
  figures_.up.Set(0);
  dependencies_.load.backlog().SetState(device_.index, {.out = true});
  upscale_stage_->SetUsable(false);
  models_.loader().RefuseLoads(ErrorWithReason(
      absl::StatusCode::kUnavailable, kDeviceOut,
      absl::StrCat("device ", device_.placement.device.str(),
                   " fails every evaluation and is out of use")));
  if (dependencies_.on_health) dependencies_.on_health(false);
  live_->GiveBack();
  intake_->GiveBack();
  // Nothing is enlarged any more: who was on the way through pixels has gone
  // where it stood, or is back.
  while (!upscale_stage_->Images().empty()) upscale_stage_->AwaitOne();
  live_->GiveBack();
  evaluator_.Forget();
  while (!health_.usable() && !stopped_.HasBeenNotified()) {
    const absl::Duration rest = health_.retry_at() - dependencies_.clock.Now();
    if (rest > absl::ZeroDuration() &&
        stopped_.WaitForNotificationWithTimeout(rest)) {
      break;
    }
    evaluator_.Probe();
  }
  dependencies_.load.backlog().SetState(device_.index, {});
  if (!health_.usable()) return;
  out_ = false;
  models_.loader().RefuseLoads(absl::OkStatus());
  upscale_stage_->SetUsable(true);
  figures_.up.Set(1);
  if (dependencies_.on_health) dependencies_.on_health(true);
}

Predictions Engine::Evaluate(const Batch& batch) {
  const ModelSpeeds& speeds = dependencies_.load.speeds();
  const absl::Duration takes =
      speeds.Of(device_.index, batch.demand).costs.At(batch.padded_rows) *
      batch.load;
  dependencies_.load.backlog().SetState(
      device_.index, {.busy_until = dependencies_.clock.Now() + takes,
                      .owing = scheduler_.owing()});
  return evaluator_.Evaluate(batch);
}

void Engine::Publish(const Batch& batch) {
  live_->LookWhetherIdle();
  publisher_->Publish(batch, live_->all().size());
  live_->EndFinished();
}

}  // namespace genzo
