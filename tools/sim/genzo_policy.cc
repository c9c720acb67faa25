#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "queue/admission.h"
#include "queue/fair_queue.h"
#include "queue/pool_load.h"
#include "tools/sim/simulation.h"
#include "worker/engine/step_scheduler.h"

namespace genzo {
namespace {

// The server's own code: Admit, PoolLoad, FairQueue and, for all that a device
// decides, StepScheduler.
class GenzoPolicy : public SimPolicy {
 public:
  explicit GenzoPolicy(const SimOptions& options)
      : options_(options),
        schedulers_(options.devices, StepScheduler(options.max_live_runs,
                                                   options.max_wait_steps)) {
    load_.backlog().SetDevices(options.devices);
  }

  absl::Status Offer(SimJob& job, absl::Time now) override {
    const JobDemand& demand = job.request.demand;
    if (speeds_.insert(demand.model).second) {
      for (int device = 0; device < options_.devices; ++device) {
        load_.speeds().SetSpeed(device, demand.model, options_.speed);
      }
    }
    const auto predicted = load_.PredictNew(demand);
    const absl::Status admitted = Admit(
        {.waiting = queue_.size(),
         .capacity = static_cast<size_t>(options_.queue_capacity),
         .places_short = PlacesShort(queue_.Counts(), options_.queue_capacity,
                                     demand.tenant),
         .time_per_place = absl::Seconds(1),
         .predicted = predicted.has_value() ? std::optional(predicted->time)
                                            : std::nullopt,
         .alone = load_.speeds().SoloTime(demand),
         .time_to_deadline = demand.deadline - now});
    if (!admitted.ok()) return admitted;
    if (job.attempts == 0) job.predicted = predicted->time;
    load_.Accept(job.request.id, demand, predicted);
    queue_.Push(
        QueueItem(job.request.id, demand, load_.speeds().LatestStart(demand)));
    waiting_[job.request.id] = &job;
    return absl::OkStatus();
  }

  void Withdraw(SimJob& job) override {
    queue_.Remove(job.request.id);
    waiting_.erase(job.request.id);
  }

  std::vector<SimJob*> Take(const SimDevice& device, absl::Time now) override {
    std::vector<SimJob*> taken;
    TakeFacts facts;
    if (device.live.empty()) load_.backlog().SetState(device.index, {});
    for (const auto& run : device.live) {
      if (run->ready > now) {
        ++facts.parked;
      } else {
        ++facts.live[run->job->request.demand.tenant];
      }
    }
    for (const auto& [model, at] : device.ready_at) {
      if (at <= now) facts.ready.insert(model);
    }
    facts.models = options_.model_bytes == 0 ? 0 : options_.models;
    TellMissing(device.index, facts.ready);
    while (true) {
      facts.others_are_freer = load_.backlog().OthersAreFreer(device.index);
      const auto rules = schedulers_.at(device.index).WhomToTake(facts);
      const auto item = rules.has_value() ? queue_.Pop(*rules) : std::nullopt;
      if (!item.has_value()) return taken;
      taken.push_back(waiting_.at(item->id));
      waiting_.erase(item->id);
      const JobDemand& demand = taken.back()->request.demand;
      load_.backlog().Start(
          item->id, device.index,
          load_.speeds().Of(device.index, demand).costs.At(demand.rows));
      // As Intake has it: put aside until its model is there.
      if (options_.model_bytes == 0 || facts.ready.count(demand.model) > 0) {
        facts.live[demand.tenant] += demand.images;
      } else {
        facts.parked += demand.images;
      }
    }
  }

  std::vector<SimRun*> Pick(SimDevice& device, absl::Time now) override {
    std::vector<SimRun*> runs;
    Candidates candidates;
    for (const auto& run : device.live) {
      if (run->ready > now) continue;
      const JobDemand& demand = run->job->request.demand;
      const std::string shape = absl::StrCat(demand.model, " ", demand.pixels);
      const auto [limits, is_new] = candidates.shapes.try_emplace(shape);
      if (is_new) limits->second = LimitsOf(device.index, demand);
      candidates.runs.push_back({.shape = shape,
                                 .tenant = demand.tenant,
                                 .priority = demand.priority,
                                 .rows = demand.rows,
                                 .cost = limits->second.TimeOf(demand.rows),
                                 .slack = absl::ToDoubleSeconds(
                                     load_.speeds().LatestStart(demand) - now),
                                 .waited = run->waited,
                                 .fresh = run->fresh});
      runs.push_back(run.get());
    }
    std::vector<SimRun*> picked;
    int rows = 0;
    for (int i : schedulers_.at(device.index).WhomToPick(candidates)) {
      picked.push_back(runs[i]);
      rows += candidates.runs[i].rows;
    }
    if (picked.empty()) return picked;
    const JobDemand& demand = picked[0]->job->request.demand;
    load_.backlog().SetState(
        device.index,
        {.busy_until =
             now + load_.speeds().Of(device.index, demand).costs.At(rows),
         .owing = schedulers_.at(device.index).owing()});
    return picked;
  }

  absl::Time LookAgain(absl::Time) const override {
    return absl::InfiniteFuture();
  }

  void Advanced(const SimRun& run) override {
    // All images of a job advance alike here.
    load_.backlog().StepsLeft(run.job->request.id, 0, run.steps_left);
  }
  void Evaluated(const SimRun& run, int rows, absl::Duration took) override {
    const JobDemand& demand = run.job->request.demand;
    load_.speeds().Observe(run.device, demand, rows, took);
  }
  void Ended(const SimJob& job, absl::Time now) override {
    if (job.end == SimJob::End::kDone) {
      load_.LearnFrom(job.request.id, job.finish);
    } else if (job.end == SimJob::End::kExpired) {
      load_.LearnFrom(job.request.id, now);
    }
    load_.backlog().Remove(job.request.id);
  }

 private:
  // As ModelIntroduction does.
  void TellMissing(int device, const std::set<std::string>& ready) {
    if (options_.model_bytes == 0) return;
    MissingModels missing;
    for (const std::string& model : speeds_) {
      if (ready.count(model) == 0) missing[model] = options_.load_time;
    }
    if (std::exchange(missing_[device], missing) == missing) return;
    load_.backlog().SetMissing(device, std::move(missing));
  }

  ShapeLimits LimitsOf(int device, const JobDemand& demand) const {
    const ModelSpeeds& speeds = load_.speeds();
    const int cap = speeds.RowCap(device, demand, options_.speed.largest_batch);
    return {.row_cap = cap,
            .times =
                speeds.StepSeconds(device, demand, std::max(cap, demand.rows))};
  }

  const SimOptions& options_;
  PoolLoad load_;
  FairQueue queue_;
  std::map<std::string, SimJob*> waiting_;
  std::vector<StepScheduler> schedulers_;  // by device
  std::set<std::string> speeds_;
  std::map<int, MissingModels> missing_;  // by device
};

}  // namespace

std::unique_ptr<SimPolicy> MakeGenzoPolicy(const SimOptions& options) {
  return std::make_unique<GenzoPolicy>(options);
}

}  // namespace genzo
