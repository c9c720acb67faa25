#ifndef GENZO_QUEUE_JOB_DEMAND_H_
#define GENZO_QUEUE_JOB_DEMAND_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "genzo/internal/v1/job.pb.h"

namespace genzo {

// What a job asks of the pool, as far as scheduling is concerned. A value.
struct JobDemand {
  std::string model;
  std::string tenant;  // empty for the common one
  double weight = 1;   // of the tenant's share
  int priority = 0;    // within the tenant: -1 low, 0 normal, 1 high
  int64_t pixels = 0;  // of one image
  int rows = 1;        // of one image in an evaluation
  int images = 1;
  int steps = 1;  // as many at `pixels` as cost what all of an image's do
  // What a step takes, in those of the model alone: LoadOf().
  double load = 1;
  v1::Sampler sampler = v1::SAMPLER_UNSPECIFIED;
  // By Clock::Now() of this process, not by the date.
  absl::Time accepted = absl::InfinitePast();
  absl::Time deadline = absl::InfiniteFuture();
};

// The demand of a job whose request has every optional field filled in. A job
// that does not say how many rows its images have counts as one of one row.
JobDemand DemandOf(const internal::v1::Job& job, const Clock& clock);

// Steps that one image walks, over all its passes.
int StepsToWalk(const internal::v1::Job& job);

// What networks beside the model add to an evaluation of one row: time, and
// memory until the denoiser has taken what they say, in those of a row. A
// ControlNet is the half of a U-Net; an image prompt adds to its attention.
inline constexpr double kControlLoad = 0.5;
inline constexpr double kImagePromptLoad = 0.05;

// What a step of the resolved request takes with the networks that it names, on
// average, where images have `rows` rows: 1 without any. Two ControlNets, one
// of them for half the steps, make 1.75.
double LoadOf(const v1::GenerateRequest& request, int rows);

// What a job is charged: rows times megapixels (2^20 pixels) times steps times
// load, over all images. Pure.
double CostUnits(const JobDemand& demand);

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_DEMAND_H_
