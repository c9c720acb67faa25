#include "queue/prediction.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "queue/forecast.h"

namespace genzo {
namespace {

// A prediction under way.
class Predictor {
 public:
  Predictor(const BacklogSnapshot& backlog, const ModelSpeeds& speeds)
      : jobs_(backlog.jobs),
        speeds_(speeds),
        states_(backlog.devices),
        missing_(backlog.missing),
        devices_(backlog.devices.size()),
        order_(backlog.jobs.size()) {
    std::iota(order_.begin(), order_.end(), 0);
  }

  std::vector<absl::Duration> Run() {
    Sort();
    Deal();
    std::vector<absl::Duration> finish(jobs_.size());
    for (Device& device : devices_) {
      const auto last = Forecast(device.items, device.shapes);
      for (size_t k = 0; k < last.size(); ++k) {
        absl::Duration& job = finish[device.owners[k]];
        job = std::max(job, last[k] + device.decodes[k]);
      }
    }
    return finish;
  }

 private:
  using Shape = std::pair<std::string, int64_t>;  // model, pixels
  struct Device {
    std::map<Shape, int> shape_of;
    std::vector<ForecastShape> shapes;
    std::vector<ForecastItem> items;
    std::vector<size_t> owners;           // of the items
    std::vector<absl::Duration> decodes;  // of the items
    absl::Duration work;
    std::map<std::string, absl::Duration> loaded;  // when, by ordered model
    absl::Duration loads;                          // of all these
  };

  // The order of service: a tenant's jobs by priority and latest start, and
  // between tenants those that were given least.
  void Sort() {
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      return std::tuple(-jobs_[a].demand.priority, jobs_[a].latest_start) <
             std::tuple(-jobs_[b].demand.priority, jobs_[b].latest_start);
    });
    std::map<std::string, double> given;
    std::vector<std::pair<double, size_t>> after;
    for (size_t job : order_) {
      const JobDemand& demand = jobs_[job].demand;
      double& sum = given[demand.tenant];
      sum += static_cast<double>(StepsLeftOf(jobs_[job])) * demand.rows *
             demand.load * static_cast<double>(demand.pixels);
      after.emplace_back(sum, job);
    }
    std::stable_sort(
        after.begin(), after.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < after.size(); ++i) order_[i] = after[i].second;
  }

  // Devices that have jobs keep them; the others' choice depends on that.
  void Deal() {
    for (const BacklogJob& job : jobs_) {
      if (job.device.has_value()) {
        devices_[*job.device].work +=
            LoadFor(*job.device, job) + WorkOn(*job.device, job);
        Order(*job.device, job);
      }
    }
    std::vector<int> dealt(jobs_.size());
    for (size_t i : ByArrival()) {
      const BacklogJob& job = jobs_[i];
      dealt[i] = job.device.has_value() ? *job.device : FirstDone(job);
      if (!job.device.has_value()) Order(dealt[i], job);
    }
    for (size_t i : order_) Add(i, dealt[i]);
  }

  // The order of service, but for those that are expected, which choose when
  // they come: each device would have company that goes to an idle one.
  std::vector<size_t> ByArrival() const {
    const auto comes = [this](size_t i) {
      return jobs_[i].expected ? jobs_[i].joins : absl::ZeroDuration();
    };
    std::vector<size_t> order = order_;
    std::stable_sort(order.begin(), order.end(), [&comes](size_t a, size_t b) {
      return comes(a) < comes(b);
    });
    return order;
  }

  int FirstDone(const BacklogJob& job) {
    int first = 0;
    absl::Duration least = absl::InfiniteDuration();
    for (int device = 0; device < static_cast<int>(devices_.size()); ++device) {
      const absl::Duration done = std::max(devices_[device].work, job.joins) +
                                  LoadFor(device, job) + WorkOn(device, job);
      if (states_[device].out || done >= least) continue;
      first = device;
      least = done;
    }
    // All may be out: then the first, once it is back, is as good as any.
    if (least < absl::InfiniteDuration()) devices_[first].work = least;
    return first;
  }

  // What loading its model takes, unless that is there or was ordered. Nothing
  // is loaded for who is merely expected.
  absl::Duration LoadFor(int device, const BacklogJob& job) const {
    const std::string& model = job.demand.model;
    if (job.expected || job.begun || device >= std::ssize(missing_) ||
        devices_[device].loaded.count(model) > 0) {
      return absl::ZeroDuration();
    }
    const auto found = missing_[device].find(model);
    return found == missing_[device].end() ? absl::ZeroDuration()
                                           : found->second;
  }

  // Has its model loaded, behind those that were ordered before.
  void Order(int device, const BacklogJob& job) {
    const absl::Duration load = LoadFor(device, job);
    if (load == absl::ZeroDuration()) return;
    Device& place = devices_[device];
    place.loads += load;
    place.loaded[job.demand.model] = place.loads;
  }

  // What its images take one at a time.
  absl::Duration WorkOn(int device, const BacklogJob& job) {
    return ShapeOn(device, job.demand).costs.At(job.demand.rows) *
           job.demand.load * StepsLeftOf(job);
  }

  int IndexOn(int device, const JobDemand& demand) {
    Device& place = devices_[device];
    const auto [shape, is_new] =
        place.shape_of.try_emplace(Shape(demand.model, demand.pixels),
                                   static_cast<int>(place.shapes.size()));
    if (is_new) {
      const DemandSpeed speed = speeds_.Of(device, demand);
      place.shapes.push_back({.costs = speed.costs, .row_cap = speed.row_cap});
      decodes_[{device, demand.model, demand.pixels}] = speed.decode;
    }
    return shape->second;
  }

  const ForecastShape& ShapeOn(int device, const JobDemand& demand) {
    return devices_[device].shapes[IndexOn(device, demand)];
  }

  void Add(size_t index, int device) {
    const BacklogJob& job = jobs_[index];
    const int shape = IndexOn(device, job.demand);
    const bool yields = states_[device].owing.count(job.demand.tenant) > 0;
    Device& place = devices_[device];
    absl::Duration joins = job.joins;
    const auto loaded = place.loaded.find(job.demand.model);
    if (!job.begun && loaded != place.loaded.end()) {
      joins = std::max(joins, loaded->second);
    }
    for (int steps_left : job.steps_left) {
      place.items.push_back({.shape = shape,
                             .rows = job.demand.rows,
                             .load = job.demand.load,
                             .steps_left = steps_left,
                             .joins = joins,
                             .expected = job.expected,
                             .yields = yields});
      place.owners.push_back(index);
      place.decodes.push_back(
          decodes_.at({device, job.demand.model, job.demand.pixels}));
    }
  }

  const std::vector<BacklogJob>& jobs_;
  const ModelSpeeds& speeds_;
  const std::vector<DeviceState>& states_;
  const std::vector<MissingModels>& missing_;
  std::vector<Device> devices_;
  std::map<std::tuple<int, std::string, int64_t>, absl::Duration> decodes_;
  std::vector<size_t> order_;
};

}  // namespace

std::vector<absl::Duration> Predict(const BacklogSnapshot& backlog,
                                    const ModelSpeeds& speeds) {
  return Predictor(backlog, speeds).Run();
}

absl::Duration PredictNewcomer(BacklogSnapshot backlog, BacklogJob newcomer,
                               const ModelSpeeds& speeds, absl::Time now) {
  absl::Time free = absl::InfiniteFuture();
  for (const DeviceState& state : backlog.devices) {
    if (!state.out) free = std::min(free, state.busy_until);
  }
  if (free == absl::InfiniteFuture()) free = now;  // all are out
  newcomer.joins = std::max(absl::ZeroDuration(), free - now);
  backlog.jobs.push_back(std::move(newcomer));
  std::rotate(backlog.jobs.begin(), backlog.jobs.end() - 1, backlog.jobs.end());
  return Predict(backlog, speeds).front();
}

BacklogJob WaitingJob(const std::string& id, const JobDemand& demand,
                      const ModelSpeeds& speeds) {
  BacklogJob job;
  job.id = id;
  job.demand = demand;
  job.latest_start = speeds.LatestStart(demand);
  job.steps_left.assign(demand.images,
                        speeds.Of(/*device=*/0, demand).evaluations);
  return job;
}

}  // namespace genzo
