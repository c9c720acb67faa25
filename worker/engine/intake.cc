#include "worker/engine/intake.h"

#include <algorithm>
#include <utility>

#include "base/errors.h"
#include "base/proto_time.h"
#include "base/request_rules.h"

namespace genzo {

Intake::Intake(const Config& config, const EngineDevice& device,
               const EngineDependencies& dependencies,
               ModelIntroduction& models, AdapterStore& adapters,
               StepScheduler& scheduler, EncodeStage& encode_stage,
               UpscaleStage& upscale_stage)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      models_(models),
      adapters_(adapters),
      scheduler_(scheduler),
      encode_stage_(encode_stage),
      upscale_stage_(upscale_stage) {}

TenantCounts Intake::Images(const TenantCounts& live) const {
  TenantCounts images = live;
  for (const auto& more : {encode_stage_.Images(), upscale_stage_.Images()}) {
    for (const auto& [tenant, count] : more) images[tenant] += count;
  }
  return images;
}

std::optional<TakeRules> Intake::RulesFor(const TenantCounts& images) const {
  TenantCounts live = images;
  size_t parked = 0;
  for (const Parked& job : parked_) {
    // Its model is there: it waits for its adapters.
    const bool is_near = models_.ready().count(job.demand.model) > 0;
    (is_near ? live[job.demand.tenant] : parked) += job.demand.images;
  }
  return scheduler_.WhomToTake(
      {.live = std::move(live),
       .parked = parked,
       .ready = models_.ready(),
       .models = models_.count(),
       .others_are_freer =
           dependencies_.load.backlog().OthersAreFreer(device_.index)});
}

void Intake::Claim(std::unique_ptr<JobLease> lease) {
  JobDemand demand = DemandOf(lease->job(), dependencies_.clock);
  dependencies_.load.backlog().Start(lease->job().id(), device_.index,
                                     dependencies_.load.speeds()
                                             .Of(device_.index, demand)
                                             .costs.At(demand.rows) *
                                         demand.load);
  parked_.push_back({std::move(lease), std::move(demand)});
}

void Intake::Refuse(const Parked& parked, const absl::Status& why) {
  adapters_.Forget(parked.lease->job().id());
  FailLease(*parked.lease, parked.demand, why,
            dependencies_.metrics.ForModel(parked.demand.model));
}

void Intake::TakeWaiting(const TenantCounts& live) {
  while (true) {
    const auto rules = RulesFor(Images(live));
    if (!rules.has_value()) return;
    auto lease = dependencies_.queue.TryTake(*rules);
    if (lease == nullptr) return;
    Claim(std::move(lease));
    StartParked();
  }
}

void Intake::StartParked() {
  for (Parked& parked : std::exchange(parked_, {})) {
    if (!Start(parked)) parked_.push_back(std::move(parked));
  }
}

bool Intake::Start(Parked& parked) {
  const std::string& id = parked.demand.model;
  const auto model = models_.loader().Hold(id);
  if (model == nullptr) {
    const absl::Status failure = models_.loader().Failure(id);
    if (failure.ok()) {
      models_.loader().Request(id);
      return false;
    }
    Refuse(parked, failure);
    return true;
  }
  const internal::v1::Job& what = parked.lease->job();
  auto adapters = adapters_.Fetch(what.id(), what.request(), model);
  if (!adapters.has_value()) return false;
  if (!adapters->ok()) {
    Refuse(parked, adapters->status());
    return true;
  }
  auto job = std::make_shared<JobState>(
      std::move(parked.lease), model, dependencies_.clock,
      dependencies_.metrics.ForModel(id), dependencies_.tracer,
      **std::move(adapters));
  if (job->Wanted()) {
    encode_stage_.Submit(std::move(job), models_.profile(id).rows_independent);
  }
  return true;
}

// A job that waits for its model, or is being encoded, does not keep others
// waiting: a loaded model and an encoded job nudge the queue. Once that hands
// out nothing more, or too many wait, they are all there is to wait for.
void Intake::Wait(const TenantCounts& live) {
  const TenantCounts images = Images(live);
  const auto rules = RulesFor(images);
  const bool others_wait = !parked_.empty() || !images.empty();
  // A freer device gets the time until these are encoded.
  const bool may_take = rules.has_value() && !rules->leave_to_others;
  if (others_wait ? may_take && !dependencies_.queue.Done()
                  : rules.has_value()) {
    auto lease = dependencies_.queue.Take(*rules);
    if (lease != nullptr) Claim(std::move(lease));
  } else if (!encode_stage_.Images().empty()) {
    encode_stage_.AwaitEncoded();
  } else if (adapters_.AwaitChange()) {
    return;
  } else if (!parked_.empty() && models_.loader().AwaitChange()) {
    return;
  } else if (!images.empty()) {
    upscale_stage_.AwaitOne();
  } else if (!parked_.empty()) {
    // The room for its adapters is with pictures that are being decoded, which
    // tell when they let go of it.
    dependencies_.queue.AwaitNudge();
  } else {
    models_.loader().AwaitChange();
  }
}

std::vector<EncodedJob> Intake::Next(const TenantCounts& live) {
  StartParked();
  TakeWaiting(live);
  auto encoded = encode_stage_.TakeEncoded();
  const bool busy = !live.empty() || models_.measuring();
  if (!encoded.empty() || busy) return encoded;
  Wait(live);
  StartParked();
  return encode_stage_.TakeEncoded();
}

void Intake::DropUnwanted() {
  const auto unwanted = [&](const Parked& parked) {
    const absl::Status ended = WhyEnded(*parked.lease, parked.demand.deadline,
                                        dependencies_.clock.Now());
    if (!ended.ok()) Refuse(parked, ended);
    return !ended.ok();
  };
  parked_.erase(std::remove_if(parked_.begin(), parked_.end(), unwanted),
                parked_.end());
}

void Intake::GiveBack() {
  for (const Parked& job : parked_) adapters_.Forget(job.lease->job().id());
  parked_.clear();
  while (!encode_stage_.Images().empty()) {
    encode_stage_.AwaitEncoded();
    encode_stage_.TakeEncoded();
  }
}

bool Intake::Done() const {
  return parked_.empty() && encode_stage_.Images().empty() &&
         upscale_stage_.Images().empty() && dependencies_.queue.Done();
}

}  // namespace genzo
