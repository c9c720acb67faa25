#include "queue/pool_view.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/proto_time.h"

namespace genzo {
namespace {

using internal::v1::PendingJob;
using internal::v1::PoolView;

// The other way than Clock::FromDate().
absl::Time ToDate(absl::Time time, const Clock& clock) {
  return clock.Date() + (time - clock.Now());
}

void AddSpeed(const std::string& model, int device, const ModelSpeed& speed,
              PoolView& view) {
  internal::v1::ModelSpeed& added = *view.add_speeds();
  added.set_model(model);
  added.set_device(device);
  added.set_own_pixels(speed.own_pixels);
  added.set_largest_batch(speed.largest_batch);
  *added.mutable_decode() = ToProto(speed.decode);
  for (const auto& [rows, duration] : speed.costs.measured()) {
    auto& cost = *added.add_step_costs();
    cost.set_rows(rows);
    *cost.mutable_duration() = ToProto(duration);
  }
  for (const auto& [sampler, count] : speed.evaluations) {
    auto& evaluations = *added.add_evaluations();
    evaluations.set_sampler(sampler);
    evaluations.set_per_step(count.per_step);
    evaluations.set_extra(count.extra);
  }
}

ModelSpeed SpeedOf(const internal::v1::ModelSpeed& told) {
  ModelSpeed speed;
  std::map<int, absl::Duration> measured;
  for (const auto& cost : told.step_costs()) {
    measured[static_cast<int>(cost.rows())] = FromProto(cost.duration());
  }
  speed.costs = StepCosts(std::move(measured));
  speed.own_pixels = std::max<int64_t>(1, told.own_pixels());
  speed.largest_batch = static_cast<int>(told.largest_batch());
  speed.decode = FromProto(told.decode());
  for (const auto& count : told.evaluations()) {
    speed.evaluations[count.sampler()] = {
        .per_step = static_cast<int>(count.per_step()), .extra = count.extra()};
  }
  return speed;
}

void AddJob(const BacklogJob& job, const Clock& clock, PoolView& view) {
  PendingJob& added = *view.add_jobs();
  added.set_model(job.demand.model);
  added.set_tenant(job.demand.tenant);
  added.set_priority(job.demand.priority);
  added.set_pixels(job.demand.pixels);
  added.set_rows_per_image(job.demand.rows);
  added.set_load(job.demand.load);
  for (int steps_left : job.steps_left) added.add_steps_left(steps_left);
  *added.mutable_latest_start() = ToProto(ToDate(job.latest_start, clock));
  if (job.device.has_value()) added.set_device(*job.device);
  added.set_begun(job.begun);
  if (job.expected) *added.mutable_expected_in() = ToProto(job.joins);
}

BacklogJob JobOf(const PendingJob& told, const Clock& clock) {
  BacklogJob job;
  job.demand.model = told.model();
  job.demand.tenant = told.tenant();
  job.demand.priority = told.priority();
  job.demand.pixels = told.pixels();
  job.demand.rows = static_cast<int>(told.rows_per_image());
  job.demand.load = told.load() > 0 ? told.load() : 1;
  job.demand.images = told.steps_left_size();
  job.latest_start = clock.FromDate(FromProto(told.latest_start()));
  if (told.has_device()) job.device = static_cast<int>(told.device());
  job.begun = told.begun();
  job.steps_left.assign(told.steps_left().begin(), told.steps_left().end());
  job.expected = told.has_expected_in();
  job.joins = FromProto(told.expected_in());
  return job;
}

}  // namespace

PoolView MakePoolView(const PoolLoad& load, const Clock& clock) {
  PoolView view;
  *view.mutable_made_at() = ToProto(clock.Date());
  for (const auto& [key, speed] : load.speeds().All()) {
    AddSpeed(key.first, key.second, speed, view);
  }
  const BacklogSnapshot backlog = load.LookAhead(clock.Now());
  for (const DeviceState& state : backlog.devices) {
    auto& device = *view.add_devices();
    device.mutable_owing()->Add(state.owing.begin(), state.owing.end());
    device.set_out(state.out);
    for (const auto& [model, load] : backlog.missing[view.devices_size() - 1]) {
      (*device.mutable_missing())[model] = ToProto(load);
    }
    if (state.busy_until <= clock.Now()) continue;
    *device.mutable_busy_until() = ToProto(ToDate(state.busy_until, clock));
  }
  for (const BacklogJob& job : backlog.jobs) AddJob(job, clock, view);
  for (const auto& [tenant, lateness] : load.Lateness(clock.Now())) {
    (*view.mutable_lateness())[tenant] = lateness;
  }
  return view;
}

std::optional<absl::Duration> PredictFrom(const PoolView& view,
                                          const JobDemand& demand,
                                          const Clock& clock) {
  ModelSpeeds speeds;
  for (const auto& speed : view.speeds()) {
    speeds.SetSpeed(static_cast<int>(speed.device()), speed.model(),
                    SpeedOf(speed));
  }
  if (!speeds.Knows(demand.model)) return std::nullopt;
  BacklogSnapshot backlog;
  backlog.devices.resize(std::max(1, view.devices_size()));
  backlog.missing.resize(backlog.devices.size());
  for (int i = 0; i < view.devices_size(); ++i) {
    const auto& told = view.devices(i);
    DeviceState& state = backlog.devices[i];
    state.owing.insert(told.owing().begin(), told.owing().end());
    state.out = told.out();
    for (const auto& [model, load] : told.missing()) {
      backlog.missing[i][model] = FromProto(load);
    }
    if (!told.has_busy_until()) continue;
    state.busy_until = clock.FromDate(FromProto(told.busy_until()));
  }
  for (const PendingJob& told : view.jobs()) {
    BacklogJob job = JobOf(told, clock);
    // A device that the view does not tell of: as if nobody had it.
    if (job.device.value_or(0) >= std::ssize(backlog.devices)) {
      job.device = std::nullopt;
    }
    backlog.jobs.push_back(std::move(job));
  }
  const auto late = view.lateness().find(demand.tenant);
  return PredictNewcomer(std::move(backlog), WaitingJob("", demand, speeds),
                         speeds, clock.Now()) *
         (late == view.lateness().end() ? 1.0 : late->second);
}

}  // namespace genzo
