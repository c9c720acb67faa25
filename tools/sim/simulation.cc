#include "tools/sim/simulation.h"

#include <algorithm>
#include <map>
#include <queue>
#include <random>

#include "base/errors.h"

namespace genzo {
namespace {

const absl::Time kBegin = absl::UnixEpoch();

struct Event {
  enum class Kind { kArrival, kCancel, kDevice, kFailure, kRecovery };

  absl::Time at;
  int64_t sequence;  // earlier first among equals
  Kind kind;
  int index;           // of a job or device
  int64_t generation;  // of a device

  bool operator>(const Event& other) const {
    return std::tie(at, sequence) > std::tie(other.at, other.sequence);
  }
};

// One run of the simulator.
class Simulator {
 public:
  Simulator(const std::vector<SimRequest>& requests, const SimOptions& options,
            SimPolicy& policy)
      : options_(options), policy_(policy), random_(options.seed) {
    speeds_.SetSpeed(/*device=*/0, "", options.speed);
    for (const SimRequest& request : requests) AddJob(request);
    devices_.resize(options.devices);
    for (int i = 0; i < options.devices; ++i) devices_[i].index = i;
    for (size_t i = 0; i < options.failures.size(); ++i) {
      Schedule(kBegin + options.failures[i].at, Event::Kind::kFailure,
               static_cast<int>(i), 0);
    }
  }

  SimResult Run() {
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      Handle(event);
    }
    double busy = 0;
    for (const SimDevice& device : devices_) busy += device.busy_seconds;
    result_.elapsed = last_end_ - kBegin;
    result_.busy_share =
        busy / absl::ToDoubleSeconds(result_.elapsed) / options_.devices;
    return std::move(result_);
  }

 private:
  void AddJob(const SimRequest& request) {
    auto job = std::make_unique<SimJob>();
    job->request = request;
    JobDemand demand = request.demand;
    demand.model = "";  // all models are equally fast
    job->solo = speeds_.SoloTime(demand);
    job->due = demand.accepted + request.deadline_factor * job->solo;
    if (request.has_deadline) job->request.demand.deadline = job->due;
    if (request.cancel_after > 0) {
      job->cancel = demand.accepted + request.cancel_after * job->solo;
    }
    job->images_left = demand.images;
    const int index = static_cast<int>(result_.jobs.size());
    Schedule(demand.accepted, Event::Kind::kArrival, index, 0);
    if (job->cancel < absl::InfiniteFuture()) {
      Schedule(job->cancel, Event::Kind::kCancel, index, 0);
    }
    result_.jobs.push_back(std::move(job));
  }

  void Schedule(absl::Time at, Event::Kind kind, int index,
                int64_t generation) {
    events_.push({at, sequence_++, kind, index, generation});
  }

  void Handle(const Event& event) {
    switch (event.kind) {
      case Event::Kind::kArrival:
        return Arrive(*result_.jobs[event.index]);
      case Event::Kind::kCancel:
        return Cancel(*result_.jobs[event.index]);
      case Event::Kind::kDevice:
        if (event.generation == devices_[event.index].generation) {
          Finish(devices_[event.index]);
          Begin(devices_[event.index]);
        }
        return;
      case Event::Kind::kFailure:
        return Fail(options_.failures[event.index]);
      case Event::Kind::kRecovery:
        return Begin(devices_[event.index]);
    }
  }

  void Arrive(SimJob& job) {
    const absl::Status offered = policy_.Offer(job, now_);
    if (!offered.ok()) {
      job.reason = ErrorReason(offered);
      return End(job, SimJob::End::kRefused);
    }
    WakeOne();
  }

  // An idle device takes what arrived; busy ones look at their next step.
  void WakeOne() {
    for (SimDevice& device : devices_) {
      if (!device.running.empty() || device.down_until > now_) continue;
      if (!device.live.empty()) continue;  // loads a model
      Begin(device);
      return;
    }
  }

  void Cancel(SimJob& job) {
    if (job.end != SimJob::End::kNone) return;
    policy_.Withdraw(job);
    End(job, SimJob::End::kCancelled);
  }

  void End(SimJob& job, SimJob::End end) {
    job.end = end;
    last_end_ = std::max(last_end_, now_);
    policy_.Ended(job, now_);
  }

  // The evaluation under way is done.
  void Finish(SimDevice& device) {
    for (SimRun* run : device.running) {
      SimJob& job = *run->job;
      if (job.end != SimJob::End::kNone) continue;
      job.first_step = std::min(job.first_step, now_);
      run->fresh = false;
      --run->steps_left;
      policy_.Advanced(*run);
      if (run->steps_left > 0 || --job.images_left > 0) continue;
      job.finish = now_ + options_.speed.decode * Area(job.request.demand);
      End(job, SimJob::End::kDone);
      last_end_ = std::max(last_end_, job.finish);
    }
    device.running.clear();
  }

  // Drops what is done or not wanted, takes new jobs, starts an evaluation.
  void Begin(SimDevice& device) {
    if (device.down_until > now_ || !device.running.empty()) return;
    for (const auto& run : device.live) {
      SimJob& job = *run->job;
      if (job.end == SimJob::End::kNone && now_ > job.request.demand.deadline) {
        End(job, SimJob::End::kExpired);
      }
    }
    const auto gone = [](const std::unique_ptr<SimRun>& run) {
      return run->steps_left == 0 || run->job->end != SimJob::End::kNone;
    };
    device.live.erase(
        std::remove_if(device.live.begin(), device.live.end(), gone),
        device.live.end());
    for (SimJob* job : policy_.Take(device, now_)) StartJob(*job, device);
    device.running = policy_.Pick(device, now_);
    for (const auto& run : device.live) {
      ++run->waited;
      result_.longest_wait = std::max(result_.longest_wait, run->waited - 1);
    }
    result_.most_live =
        std::max(result_.most_live, static_cast<int>(device.live.size()));
    ++device.generation;
    if (device.running.empty()) return ScheduleLook(device);
    int rows = 0;
    for (SimRun* run : device.running) {
      run->waited = 0;
      rows += run->job->request.demand.rows;
    }
    const absl::Duration took = EvaluationTime(*device.running[0], rows);
    policy_.Evaluated(*device.running[0], rows, took);
    device.busy_seconds += absl::ToDoubleSeconds(took);
    ++result_.evaluations;
    Schedule(now_ + took, Event::Kind::kDevice, device.index,
             device.generation);
  }

  // Nothing can run now: a model may be loading, or a window open.
  void ScheduleLook(const SimDevice& device) {
    absl::Time next = policy_.LookAgain(now_);
    for (const auto& run : device.live) {
      if (run->ready > now_) next = std::min(next, run->ready);
    }
    if (next == absl::InfiniteFuture()) return;
    Schedule(next, Event::Kind::kDevice, device.index, device.generation);
  }

  // In images of the model's own size.
  double Area(const JobDemand& demand) const {
    return static_cast<double>(demand.pixels) / options_.speed.own_pixels;
  }

  absl::Duration EvaluationTime(const SimRun& run, int rows) {
    const JobDemand& demand = run.job->request.demand;
    std::normal_distribution<double> noise(1, options_.noise);
    return options_.speed.costs.At(rows, Area(demand)) *
           std::clamp(noise(random_), 0.5, 2.0);
  }

  void StartJob(SimJob& job, SimDevice& device) {
    if (now_ > job.request.demand.deadline) {
      return End(job, SimJob::End::kExpired);
    }
    ++job.attempts;
    const absl::Time ready = LoadModel(job.request.demand.model, device);
    for (int i = 0; i < job.request.demand.images; ++i) {
      auto run = std::make_unique<SimRun>();
      run->job = &job;
      run->device = device.index;
      run->steps_left = job.request.demand.steps;
      run->ready = ready;
      device.live.push_back(std::move(run));
    }
  }

  // When the model will be in the device's memory, making room for it.
  absl::Time LoadModel(const std::string& model, SimDevice& device) {
    if (options_.model_bytes == 0) return now_;
    ++uses_;
    for (Resident& resident : device.residents) {
      if (resident.id != model) continue;
      resident.last_used = uses_;
      return std::max(now_, device.ready_at.at(model));
    }
    // As in the server, a model that runs leaves only if the idle ones would
    // not do, and its runs end before that.
    for (Resident& resident : device.residents) {
      resident.in_use = std::any_of(
          device.live.begin(), device.live.end(), [&](const auto& run) {
            return run->job->request.demand.model == resident.id &&
                   run->steps_left > 0 && run->job->end == SimJob::End::kNone;
          });
    }
    const auto leaving = ChooseEvictions(
        model, device.residents, options_.model_bytes, options_.budget_bytes);
    absl::Time free = now_;
    for (const auto& run : device.live) {
      const auto& id = run->job->request.demand.model;
      if (std::count(leaving->begin(), leaving->end(), id) > 0) {
        free = std::max(free, now_ + run->job->solo);
      }
    }
    for (const std::string& id : *leaving) {
      device.ready_at.erase(id);
      device.residents.erase(
          std::find_if(device.residents.begin(), device.residents.end(),
                       [&](const Resident& r) { return r.id == id; }));
    }
    device.residents.push_back({.id = model,
                                .bytes = options_.model_bytes,
                                .pinned = false,
                                .last_used = uses_});
    ++result_.model_loads;
    const absl::Time ready = free + options_.load_time;
    device.ready_at[model] = ready;
    return ready;
  }

  // The device goes down; its jobs go back in line from their beginning.
  void Fail(const SimFailure& failure) {
    SimDevice& device = devices_[failure.device];
    std::set<SimJob*> jobs;
    for (const auto& run : device.live) {
      if (run->job->end == SimJob::End::kNone) jobs.insert(run->job);
    }
    device.live.clear();
    device.running.clear();
    device.residents.clear();
    device.ready_at.clear();
    ++device.generation;
    device.down_until = now_ + failure.downtime;
    Schedule(device.down_until, Event::Kind::kRecovery, failure.device, 0);
    for (SimJob* job : jobs) {
      policy_.Ended(*job, now_);
      job->images_left = job->request.demand.images;
      const absl::Status offered = policy_.Offer(*job, now_);
      if (!offered.ok()) {
        job->reason = ErrorReason(offered);
        End(*job, SimJob::End::kRefused);
      }
    }
    for (size_t i = 0; i < jobs.size(); ++i) WakeOne();
  }

  const SimOptions& options_;
  SimPolicy& policy_;
  std::mt19937_64 random_;
  ModelSpeeds speeds_;  // only for times alone
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  int64_t sequence_ = 0;
  int64_t uses_ = 0;
  absl::Time now_ = kBegin;
  absl::Time last_end_ = kBegin;
  std::vector<SimDevice> devices_;
  SimResult result_;
};

}  // namespace

SimResult Simulate(const std::vector<SimRequest>& requests,
                   const SimOptions& options, SimPolicy& policy) {
  return Simulator(requests, options, policy).Run();
}

}  // namespace genzo
