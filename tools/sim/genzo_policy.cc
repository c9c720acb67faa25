#include <algorithm>
#include <map>

#include "queue/admission.h"
#include "queue/fair_queue.h"
#include "tools/sim/simulation.h"
#include "worker/engine/candidate_list.h"

namespace genzo {
namespace {

// The server's own code: FairQueue, LoadBoard, Admit and Batcher, put together
// as MemoryJobQueue and Engine do.
class GenzoPolicy : public SimPolicy {
 public:
  explicit GenzoPolicy(const SimOptions& options)
      : options_(options), batcher_(options.max_wait_steps) {
    board_.SetDevices(options.devices);
  }

  absl::Status Offer(SimJob& job, absl::Time now) override {
    const JobWork& work = job.request.work;
    if (speeds_.insert(work.model).second) {
      board_.SetSpeed(work.model, options_.speed);
    }
    const auto predicted = board_.PredictNew(work);
    const absl::Status admitted = Admit(
        {.waiting = queue_.size(),
         .capacity = static_cast<size_t>(options_.queue_capacity),
         .places_short =
             PlacesShort(queue_.Counts(), options_.queue_capacity, work.tenant),
         .time_per_place = absl::Seconds(1),
         .predicted =
             work.deadline == absl::InfiniteFuture() ? std::nullopt : predicted,
         .time_to_deadline = work.deadline - now});
    if (!admitted.ok()) return admitted;
    if (job.attempts == 0) job.predicted = predicted;
    board_.Add(job.request.id, work, predicted);
    queue_.Push(QueueItem(job.request.id, work, board_.StartBy(work)));
    waiting_[job.request.id] = &job;
    return absl::OkStatus();
  }

  void Withdraw(SimJob& job) override {
    queue_.Remove(job.request.id);
    waiting_.erase(job.request.id);
  }

  std::vector<SimJob*> Take(const SimDevice& device, absl::Time now) override {
    std::vector<SimJob*> taken;
    const auto limit = static_cast<size_t>(options_.max_live_runs);
    TenantCounts live;
    for (const auto& run : device.live) ++live[run->job->request.work.tenant];
    TakeRules rules;
    for (const Resident& resident : device.residents) {
      rules.preferred_models.insert(resident.id);
    }
    while (!IsFull(TotalOf(live), limit)) {
      rules.except_tenants = TenantsWithEnough(live, limit);
      rules.leave_to_others =
          rules.preferred_models.empty() && board_.OthersAreFreer(device.index);
      const auto item = queue_.Pop(rules);
      if (!item.has_value()) return taken;
      board_.Start(item->id, device.index);
      taken.push_back(waiting_.at(item->id));
      waiting_.erase(item->id);
      const JobWork& work = taken.back()->request.work;
      live[work.tenant] += work.images;
    }
    return taken;
  }

  std::vector<SimRun*> Pick(SimDevice& device, absl::Time now) override {
    std::vector<SimRun*> runs;
    CandidateList<Shape>& list = lists_[device.index];
    list.Clear();
    for (const auto& run : device.live) {
      if (run->ready > now) continue;
      const JobWork& work = run->job->request.work;
      Candidate& candidate =
          list.Add(work.tenant, {work.model, work.pixels}, work.rows, [&] {
            const int cap = board_.RowCap(work.model, work.pixels,
                                          options_.speed.largest_batch);
            return ShapeLimits{.row_cap = cap,
                               .times = board_.StepSeconds(
                                   work, std::max(cap, kMostRowsOfImage))};
          });
      candidate.weight = work.weight;
      candidate.slack = absl::ToDoubleSeconds(board_.StartBy(work) - now);
      candidate.waited = run->waited;
      candidate.fresh = run->fresh;
      runs.push_back(run.get());
    }
    std::vector<SimRun*> picked;
    int rows = 0;
    for (int i :
         batcher_.Pick(list.candidates(), list.limits(), device.shares)) {
      picked.push_back(runs[i]);
      rows += list.candidates()[i].rows;
    }
    if (!picked.empty()) {
      board_.Begin(device.index, picked[0]->job->request.work, rows, now);
    }
    return picked;
  }

  absl::Time LookAgain(absl::Time) const override {
    return absl::InfiniteFuture();
  }

  void Advanced(const SimRun& run) override {
    // All images of a job advance alike here.
    board_.Advance(run.job->request.id, 0, run.steps_left);
  }
  void Evaluated(const SimRun& run, int rows, absl::Duration took) override {
    const JobWork& work = run.job->request.work;
    board_.Observe(work.model, work.pixels, rows, took);
  }
  void Ended(const SimJob& job, absl::Time now) override {
    if (job.end == SimJob::End::kDone) {
      board_.LearnFrom(job.request.id, job.finish);
    } else if (job.end == SimJob::End::kExpired) {
      board_.LearnFrom(job.request.id, now);
    }
    board_.Remove(job.request.id);
  }

 private:
  using Shape = std::pair<std::string, int64_t>;  // model, pixels

  const SimOptions& options_;
  const Batcher batcher_;
  LoadBoard board_;
  FairQueue queue_;
  std::map<std::string, SimJob*> waiting_;
  std::map<int, CandidateList<Shape>> lists_;  // by device
  std::set<std::string> speeds_;
};

}  // namespace

std::unique_ptr<SimPolicy> MakeGenzoPolicy(const SimOptions& options) {
  return std::make_unique<GenzoPolicy>(options);
}

}  // namespace genzo
