#ifndef GENZO_WORKER_SAMPLER_SCHEDULER_CLASS_H_
#define GENZO_WORKER_SAMPLER_SCHEDULER_CLASS_H_

#include <string>

#include "absl/status/status.h"

// The one place that knows what diffusers' scheduler classes differ in, as far
// as they read a scheduler_config.json.

namespace genzo {

// What a model's network was trained for; its file says so.
enum class TrainedFor { kDiffusion, kFlow, kEdm, kScoreVe, kScoreVp };

// A class that reads files: what it makes of keys that are missing, and which
// keys it knows.
struct SchedulerClass {
  const char* name;
  TrainedFor trained_for = TrainedFor::kDiffusion;
  bool flow_too = false;  // reads files for flow matching as well
  bool edm_too = false;   // and those of EDM (arXiv:2206.00364)
  const char* spacing = "linspace";
  double beta_start = 0.0001;
  double beta_end = 0.02;
  const char* beta_schedule = "linear";
  bool clip_sample = false;
  bool set_alpha_to_one = false;
  bool spaces_sigmas = true;  // use_karras_sigmas and the like
  bool samples = true;        // prediction type "sample"
  bool has_ends = false;      // sigma_min and sigma_max

  // Whether it samples from a network that was trained so.
  bool Reads(TrainedFor what) const;
};

// The class that walks as `name` does, which may be itself: "DDIMScheduler" for
// "DDIMParallelScheduler", "EulerDiscreteScheduler" for "EDMEulerScheduler".
std::string PlainClassOf(const std::string& name);

// The row of PlainClassOf(`name`); null if there is none.
const SchedulerClass* FindSchedulerClass(const std::string& name);

// UNIMPLEMENTED, naming the class.
absl::Status UnsupportedScheduler(const std::string& name);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SCHEDULER_CLASS_H_
