#include "queue/job_demand.h"

#include <algorithm>
#include <cmath>

#include "base/guidance_rules.h"
#include "base/proto_time.h"
#include "base/request_rules.h"
#include "base/upscale_plan.h"

namespace genzo {
namespace {

int PriorityOf(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_LOW:
      return -1;
    case v1::PRIORITY_HIGH:
      return 1;
    default:
      return 0;
  }
}

StepRounding RoundingOf(const internal::v1::Job& job) {
  return job.rounds_steps_up() ? StepRounding::kUp : StepRounding::kDown;
}

// On the way up, an image mostly has one row where it has several later.
int InversionCost(const v1::GenerateRequest& request, int rows) {
  const int steps = InversionSteps(request);
  const bool guided =
      IsGuided(request.image_to_image().inversion().guidance_scale());
  return guided ? steps : (steps + rows - 1) / rows;
}

// Steps at a larger size count for as many more.
int StepsOf(const internal::v1::Job& job, int rows) {
  const v1::GenerateRequest& request = job.request();
  const double pixels =
      std::max(1.0, static_cast<double>(request.width()) * request.height());
  const double times =
      static_cast<double>(PaintedSize(request).pixels()) / pixels;
  const StepRounding rounding = RoundingOf(job);
  return InversionCost(request, rows) + StepsOfPass(request, rounding) +
         static_cast<int>(
             std::ceil(StepsOfSecondPass(request, rounding) * times));
}

}  // namespace

JobDemand DemandOf(const internal::v1::Job& job, const Clock& clock) {
  const v1::GenerateRequest& request = job.request();
  const int rows = std::max(1, static_cast<int>(job.rows_per_image()));
  return {.model = request.model(),
          .tenant = job.tenant(),
          .weight = job.weight() > 0 ? job.weight() : 1,
          .priority = PriorityOf(request.priority()),
          .pixels = int64_t{request.width()} * request.height(),
          .rows = rows,
          .images = static_cast<int>(ImagesDrawn(request)),
          .steps = StepsOf(job, rows),
          .load = LoadOf(request, rows),
          .sampler = request.sampler(),
          .accepted = clock.FromDate(FromProto(job.accepted_at())),
          .deadline = job.has_deadline()
                          ? clock.FromDate(FromProto(job.deadline()))
                          : absl::InfiniteFuture()};
}

int StepsToWalk(const internal::v1::Job& job) {
  return StepsOfImage(job.request(), RoundingOf(job));
}

double LoadOf(const v1::GenerateRequest& request, int rows) {
  double load = 1 + kImagePromptLoad * request.image_prompts_size();
  for (const v1::ControlInput& control : request.controls()) {
    const double share = std::clamp(
        (control.has_end() ? control.end() : 1) - control.start(), 0.0, 1.0);
    // Guessing, it looks at the prompt's row alone.
    load += kControlLoad * (control.weight() == 0 ? 0 : share) /
            (control.guess_mode() ? std::max(1, rows) : 1);
  }
  return load;
}

double CostUnits(const JobDemand& demand) {
  constexpr double kMegapixel = 1 << 20;
  return demand.rows * (static_cast<double>(demand.pixels) / kMegapixel) *
         demand.steps * demand.load * demand.images;
}

}  // namespace genzo
