#include <algorithm>
#include <deque>

#include "queue/admission.h"
#include "tools/sim/simulation.h"

namespace genzo {
namespace {

// A bounded line in order of arrival, without a look at deadlines.
class LinePolicy : public SimPolicy {
 public:
  explicit LinePolicy(const SimOptions& options) : options_(options) {}

  absl::Status Offer(SimJob& job, absl::Time) override {
    AdmissionFacts facts;
    facts.waiting = line_.size();
    facts.capacity = static_cast<size_t>(options_.queue_capacity);
    facts.places_short = facts.waiting < facts.capacity ? 0 : 1;
    const absl::Status admitted = Admit(facts);
    if (admitted.ok()) line_.push_back(&job);
    return admitted;
  }

  void Withdraw(SimJob& job) override {
    line_.erase(std::remove(line_.begin(), line_.end(), &job), line_.end());
  }

  absl::Time LookAgain(absl::Time) const override {
    return absl::InfiniteFuture();
  }

 protected:
  SimJob* TakeFirst() {
    SimJob* const job = line_.front();
    line_.pop_front();
    return job;
  }

  int RowCap(const JobDemand& demand) const {
    return options_.speed.costs.RowCap(
        options_.speed.largest_batch,
        static_cast<double>(demand.pixels) / options_.speed.own_pixels);
  }

  const SimOptions& options_;
  std::deque<SimJob*> line_;
};

bool SameShape(const JobDemand& a, const JobDemand& b) {
  return a.model == b.model && a.pixels == b.pixels;
}

// Requests of one kind begin together and end together.
class StaticBatchPolicy : public LinePolicy {
 public:
  StaticBatchPolicy(const SimOptions& options, bool one_at_a_time)
      : LinePolicy(options), one_at_a_time_(one_at_a_time) {}

  std::vector<SimJob*> Take(const SimDevice& device, absl::Time now) override {
    if (!device.live.empty() || line_.empty()) return {};
    if (one_at_a_time_) return {TakeFirst()};
    const JobDemand first = line_.front()->request.demand;
    const int cap = RowCap(first);
    std::vector<SimJob*> batch;
    int rows = 0;
    for (SimJob* job : line_) {
      const JobDemand& demand = job->request.demand;
      const bool alike = SameShape(demand, first) &&
                         demand.steps == first.steps &&
                         demand.rows == first.rows;
      const int added = demand.rows * demand.images;
      if (!alike || (!batch.empty() && rows + added > cap)) continue;
      batch.push_back(job);
      rows += added;
    }
    const bool full = rows + first.rows > cap;
    if (!full && now < first.accepted + options_.window) return {};
    for (SimJob* job : batch) Withdraw(*job);
    return batch;
  }

  std::vector<SimRun*> Pick(SimDevice& device, absl::Time now) override {
    std::vector<SimRun*> runs;
    for (const auto& run : device.live) {
      if (run->ready <= now) runs.push_back(run.get());
    }
    return runs;
  }

  absl::Time LookAgain(absl::Time now) const override {
    if (line_.empty()) return absl::InfiniteFuture();
    return std::max(now + absl::Microseconds(1),
                    line_.front()->request.demand.accepted + options_.window);
  }

 private:
  const bool one_at_a_time_;
};

// Every step takes the oldest run and those that share its shape.
class StepFifoPolicy : public LinePolicy {
 public:
  using LinePolicy::LinePolicy;

  std::vector<SimJob*> Take(const SimDevice& device, absl::Time) override {
    std::vector<SimJob*> taken;
    size_t live = device.live.size();
    while (!line_.empty() &&
           live < static_cast<size_t>(options_.max_live_runs)) {
      taken.push_back(TakeFirst());
      live += taken.back()->request.demand.images;
    }
    return taken;
  }

  std::vector<SimRun*> Pick(SimDevice& device, absl::Time now) override {
    std::vector<SimRun*> picked;
    int rows = 0;
    for (const auto& run : device.live) {
      if (run->ready > now) continue;
      const JobDemand& demand = run->job->request.demand;
      if (!picked.empty() &&
          (!SameShape(demand, picked[0]->job->request.demand) ||
           rows + demand.rows > RowCap(demand))) {
        continue;
      }
      picked.push_back(run.get());
      rows += demand.rows;
    }
    return picked;
  }
};

}  // namespace

std::unique_ptr<SimPolicy> MakeFifoPolicy(const SimOptions& options) {
  return std::make_unique<StaticBatchPolicy>(options, /*one_at_a_time=*/true);
}

std::unique_ptr<SimPolicy> MakeStaticBatchPolicy(const SimOptions& options) {
  return std::make_unique<StaticBatchPolicy>(options, /*one_at_a_time=*/false);
}

std::unique_ptr<SimPolicy> MakeStepFifoPolicy(const SimOptions& options) {
  return std::make_unique<StepFifoPolicy>(options);
}

}  // namespace genzo
