#include "worker/sampler/scheduler_config.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// Of sigma's odds, in flow matching.
constexpr double kMinShift = 1e-3;
constexpr double kMaxShift = 1e3;
constexpr double kMaxMu = 7;

// Reads a string key as one of an enum's values.
template <typename Enum>
Enum ReadEnum(JsonConfig& json, const std::string& key,
              const std::string& default_name,
              const std::vector<std::pair<std::string, Enum>>& values) {
  const std::string name = json.String(key, default_name);
  std::vector<std::string> known;
  for (const auto& [value_name, value] : values) {
    if (value_name == name) return value;
    known.push_back(value_name);
  }
  json.Fail(absl::StatusCode::kUnimplemented, key,
            absl::StrCat("is not one of ", absl::StrJoin(known, ", ")));
  return values[0].second;
}

void ReadBetas(JsonConfig& json, SchedulerConfig& config) {
  config.num_train_timesteps =
      static_cast<int>(json.Int("num_train_timesteps", 1000, /*min=*/2));
  config.beta_start = json.Number("beta_start", 0.0001);
  config.beta_end = json.Number("beta_end", 0.02);
  config.beta_schedule = ReadEnum<BetaSchedule>(
      json, "beta_schedule", "linear",
      {{"linear", BetaSchedule::kLinear},
       {"scaled_linear", BetaSchedule::kScaledLinear},
       {"squaredcos_cap_v2", BetaSchedule::kSquaredCosine}});
  config.trained_betas = json.Floats("trained_betas");
  config.rescale_betas_zero_snr = json.Bool("rescale_betas_zero_snr", false);
  const bool sound = config.beta_start > 0 && config.beta_end < 1 &&
                     config.beta_start <= config.beta_end;
  if (!sound) {
    json.Fail(absl::StatusCode::kInvalidArgument, "beta_start",
              "and beta_end are not within 0 < beta_start <= beta_end < 1");
  }
  for (const float beta : config.trained_betas) {
    if (beta > 0 && beta < 1) continue;
    json.Fail(absl::StatusCode::kInvalidArgument, "trained_betas",
              "are not all over 0 and below 1");
  }
  const size_t trained = config.trained_betas.size();
  if (trained != 0 &&
      trained != static_cast<size_t>(config.num_train_timesteps)) {
    json.Fail(absl::StatusCode::kInvalidArgument, "num_train_timesteps",
              absl::StrCat("differs from the ", trained, " trained_betas"));
  }
}

void ReadTimesteps(JsonConfig& json, const std::string& default_spacing,
                   SchedulerConfig& config) {
  config.timestep_spacing =
      ReadEnum<TimestepSpacing>(json, "timestep_spacing", default_spacing,
                                {{"leading", TimestepSpacing::kLeading},
                                 {"trailing", TimestepSpacing::kTrailing},
                                 {"linspace", TimestepSpacing::kLinspace}});
  config.steps_offset = static_cast<int>(json.Int("steps_offset", 0));
  json.RequireUnset("use_lu_lambdas");
  json.RequireUnset("use_flow_sigmas");
  json.RequireUnset("use_dynamic_shifting");
}

void ReadSigmas(JsonConfig& json, SchedulerConfig& config) {
  if (json.Bool("use_karras_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kKarras;
  } else if (json.Bool("use_exponential_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kExponential;
  } else if (json.Bool("use_beta_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kBeta;
  }
  config.sigma_min = json.OptionalNumber("sigma_min");
  config.sigma_max = json.OptionalNumber("sigma_max");
  config.final_sigma_is_zero =
      ReadEnum<bool>(json, "final_sigmas_type", "zero",
                     {{"zero", true}, {"sigma_min", false}});
}

// A file for flow matching says so by its class or its prediction type.
bool IsFlow(JsonConfig& json) {
  return absl::StartsWith(json.String("_class_name", ""), "FlowMatch") ||
         json.String("prediction_type", "") == "flow_prediction";
}

void ReadFlow(JsonConfig& json, SchedulerConfig& config) {
  config.prediction_type = PredictionType::kFlow;
  config.shift = json.Number("shift", 1, kMinShift, kMaxShift);
  config.dynamic_shifting = json.Bool("use_dynamic_shifting", false);
  // exp() of a shift is taken.
  config.base_shift = json.Number("base_shift", 0.5, -kMaxMu, kMaxMu);
  config.max_shift = json.Number("max_shift", 1.15, -kMaxMu, kMaxMu);
  config.base_image_seq_len =
      static_cast<int>(json.Int("base_image_seq_len", 256));
  config.max_image_seq_len =
      static_cast<int>(json.Int("max_image_seq_len", 4096));
  if (config.base_image_seq_len >= config.max_image_seq_len) {
    json.Fail(absl::StatusCode::kInvalidArgument, "base_image_seq_len",
              "is not below max_image_seq_len");
  }
  config.linear_time_shift =
      ReadEnum<bool>(json, "time_shift_type", "exponential",
                     {{"exponential", false}, {"linear", true}});
  config.shift_terminal = json.OptionalNumber("shift_terminal", 0, 0.999);
  if (config.shift_terminal == 0) config.shift_terminal.reset();
  config.stochastic_sampling = json.Bool("stochastic_sampling", false);
  json.RequireUnset("invert_sigmas");
}

void ReadEuler(JsonConfig& json, SchedulerConfig& config) {
  config.log_linear_interpolation =
      ReadEnum<bool>(json, "interpolation_type", "linear",
                     {{"linear", false}, {"log_linear", true}});
  config.continuous_timesteps =
      ReadEnum<bool>(json, "timestep_type", "discrete",
                     {{"discrete", false}, {"continuous", true}});
}

void ReadDpmSolver(JsonConfig& json, SchedulerConfig& config) {
  json.RequireString("algorithm_type", "dpmsolver++");
  json.RequireUnset("variance_type");
  config.solver_order = static_cast<int>(json.Int("solver_order", 2, 1));
  if (config.solver_order > 3) {
    json.Fail(absl::StatusCode::kInvalidArgument, "solver_order",
              "is not between 1 and 3");
  }
  config.heun = ReadEnum<bool>(json, "solver_type", "midpoint",
                               {{"midpoint", false}, {"heun", true}});
  config.lower_order_final = json.Bool("lower_order_final", true);
  config.euler_at_final = json.Bool("euler_at_final", false);
  // -Infinity has no spelling in JSON: files leave it out or name it.
  const auto& object = json.object();
  const auto clipped = object.find("lambda_min_clipped");
  if (clipped != object.end() && clipped->is_number() &&
      std::isfinite(clipped->get<double>())) {
    config.lambda_min_clipped = clipped->get<double>();
  }
}

}  // namespace

absl::StatusOr<SchedulerConfig> ParseSchedulerConfig(
    const nlohmann::json& object, const std::string& scheduler_class,
    const std::string& name) {
  JsonConfig json(object, name);
  SchedulerConfig config;
  const bool is_ddim = scheduler_class == "DDIMScheduler";
  const bool is_inverse = scheduler_class == "DDIMInverseScheduler";
  const bool is_pndm = scheduler_class == "PNDMScheduler";
  const bool is_ancestral =
      scheduler_class == "EulerAncestralDiscreteScheduler";
  ReadBetas(json, config);
  const bool is_flow = absl::StartsWith(scheduler_class, "FlowMatch");
  if (is_flow != IsFlow(json)) {
    json.Fail(absl::StatusCode::kUnimplemented, "prediction_type",
              absl::StrCat("is not supported by ", scheduler_class));
  }
  if (is_flow) {
    ReadSigmas(json, config);
    ReadFlow(json, config);
    if (!json.status().ok()) return json.status();
    return config;
  }
  ReadTimesteps(json, is_ddim || is_inverse || is_pndm ? "leading" : "linspace",
                config);
  // A class that has no choice of sigmas ignores what the file says of them.
  if (!is_ancestral) ReadSigmas(json, config);
  config.prediction_type =
      ReadEnum<PredictionType>(json, "prediction_type", "epsilon",
                               {{"epsilon", PredictionType::kEpsilon},
                                {"v_prediction", PredictionType::kVelocity},
                                {"sample", PredictionType::kSample}});
  config.set_alpha_to_one =
      json.Bool("set_alpha_to_one", is_ddim || is_inverse);
  config.clip_sample = json.Bool("clip_sample", is_ddim || is_inverse);
  config.clip_sample_range = json.Number("clip_sample_range", 1);
  config.thresholding = json.Bool("thresholding", false);
  config.dynamic_thresholding_ratio =
      json.Number("dynamic_thresholding_ratio", 0.995);
  config.sample_max_value = json.Number("sample_max_value", 1);
  if (!(config.dynamic_thresholding_ratio >= 0 &&
        config.dynamic_thresholding_ratio <= 1)) {
    json.Fail(absl::StatusCode::kInvalidArgument, "dynamic_thresholding_ratio",
              "is not between 0 and 1");
  }
  if (!(config.sample_max_value >= 1)) {
    json.Fail(absl::StatusCode::kInvalidArgument, "sample_max_value",
              "is not at least 1");
  }
  config.skip_prk_steps = json.Bool("skip_prk_steps", false);
  if (scheduler_class == "EulerDiscreteScheduler") ReadEuler(json, config);
  if (scheduler_class == "DPMSolverMultistepScheduler") {
    ReadDpmSolver(json, config);
  }
  if ((is_pndm || is_inverse) &&
      config.prediction_type == PredictionType::kSample) {
    json.Fail(absl::StatusCode::kUnimplemented, "prediction_type",
              absl::StrCat("is not supported by ", scheduler_class));
  }
  if (is_inverse && config.timestep_spacing == TimestepSpacing::kLinspace) {
    json.Fail(absl::StatusCode::kUnimplemented, "timestep_spacing",
              absl::StrCat("is not supported by ", scheduler_class));
  }
  if (!json.status().ok()) return json.status();
  return config;
}

}  // namespace genzo
