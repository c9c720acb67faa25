#ifndef GENZO_WORKER_SAMPLER_SCHEDULER_CONFIG_H_
#define GENZO_WORKER_SAMPLER_SCHEDULER_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What the denoiser's output means.
enum class PredictionType {
  kEpsilon,   // the noise (arXiv:2006.11239)
  kVelocity,  // alpha noise - sigma sample (arXiv:2202.00512)
  kSample,    // the clean sample
  kFlow,      // noise - clean sample (arXiv:2210.02747)
};

// How betas grow over training timesteps.
enum class BetaSchedule { kLinear, kScaledLinear, kSquaredCosine };

// Which training timesteps a run visits (arXiv:2305.08891, table 2).
enum class TimestepSpacing { kLeading, kTrailing, kLinspace };

// How a run's noise levels are spread between the first and the last.
enum class SigmaSpacing {
  kTimesteps,       // those of the visited timesteps
  kKarras,          // arXiv:2206.00364, eq. 5, rho 7
  kExponential,     // evenly in the logarithm
  kLuLambdas,       // the same, of DPM-Solver's file
  kBeta,            // arXiv:2407.12173
  kSgmUniform,      // of timesteps, the cleanest left out
  kSimple,          // every n-th trained one, from the noisiest
  kDdimUniform,     // every n-th trained one, from the cleanest
  kAlignYourSteps,  // arXiv:2404.14507
};

// How much noise a step of DDPM adds (arXiv:2102.09672, section 3.1).
enum class DdpmVariance { kFixedSmall, kFixedLarge, kLearned, kLearnedRange };

// A diffusers scheduler_config.json as far as our samplers use it. Field names
// are the file's.
struct SchedulerConfig {
  int num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  std::vector<float> trained_betas;  // in place of the schedule if not empty
  bool rescale_betas_zero_snr = false;
  PredictionType prediction_type = PredictionType::kEpsilon;
  TimestepSpacing timestep_spacing = TimestepSpacing::kLeading;
  int steps_offset = 0;
  SigmaSpacing sigma_spacing = SigmaSpacing::kTimesteps;
  // DDIM and PNDM: whether the step to the picture ends at alpha 1, or at the
  // first timestep's.
  bool set_alpha_to_one = true;
  // DDIM: bounds of the clean estimate.
  bool clip_sample = false;
  double clip_sample_range = 1;
  // Dynamic thresholding of the clean estimate (arXiv:2205.11487).
  bool thresholding = false;
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  // PNDM.
  bool skip_prk_steps = false;
  // Euler: sigmas evenly in the logarithm, timesteps from sigmas.
  bool log_linear_interpolation = false;
  bool continuous_timesteps = false;
  // Euler and UniPC: ends of Karras' and exponential spacing. EDM: of every
  // walk; set.
  std::optional<double> sigma_min;
  std::optional<double> sigma_max;
  // Set: the network was trained as EDM (arXiv:2206.00364, table 1), on data of
  // this deviation; no timestep is a whole one then, and betas mean nothing.
  std::optional<double> sigma_data;
  double rho = 7;  // EDM: of Karras' spacing
  // Euler and DPM-Solver: whether the last sigma is 0 or the smallest trained.
  bool final_sigma_is_zero = true;
  // DDPM.
  DdpmVariance variance = DdpmVariance::kFixedSmall;
  // LCM and TCD.
  int original_inference_steps = 50;
  double timestep_scaling = 10;
  // DPM-Solver, DEIS and UniPC.
  bool plus_plus = true;  // integrates clean estimates, else noise
  bool bh1 = false;       // UniPC: solver_type "bh1" rather than "bh2"
  std::vector<int64_t> disable_corrector;  // UniPC: steps
  int solver_order = 2;
  bool heun = false;  // solver_type "heun" rather than "midpoint"
  bool lower_order_final = true;
  bool euler_at_final = false;
  std::optional<double> lambda_min_clipped;
  // Flow matching: a fixed shift towards noise, or one by the image's tokens.
  double shift = 1;
  bool dynamic_shifting = false;
  double base_shift = 0.5;
  double max_shift = 1.15;
  int base_image_seq_len = 256;
  int max_image_seq_len = 4096;
  bool linear_time_shift = false;  // time_shift_type "linear"
  std::optional<double> shift_terminal;
  // Flow matching, and the stochastic DPM-Solvers.
  bool stochastic_sampling = false;
  // Score-based models.
  double snr = 0.15;
  double sampling_eps = 1e-5;
  int correct_steps = 1;
  double beta_min = 0.1;
  double beta_max = 20;
  // Not in files; what a request sets. See SamplerOptions.
  int64_t image_tokens = 0;
  std::vector<double> sigmas;
  std::vector<int> timesteps;
  bool sdxl = false;

  bool operator==(const SchedulerConfig& other) const = default;
};

// Reads `json`, a scheduler_config.json written for any class, the way that the
// reference makes a `scheduler_class` from it: keys that are missing have that
// class's defaults. UNIMPLEMENTED or INVALID_ARGUMENT name `name`, key and
// value.
absl::StatusOr<SchedulerConfig> ParseSchedulerConfig(
    const nlohmann::json& json, const std::string& scheduler_class,
    const std::string& name = "scheduler configuration");

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SCHEDULER_CONFIG_H_
