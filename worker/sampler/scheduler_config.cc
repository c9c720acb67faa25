#include "worker/sampler/scheduler_config.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/sampler/noise_source.h"
#include "worker/sampler/scheduler_class.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr int kMaxStepsOffset = 100;
constexpr double kLeastSigma = 1e-6;
constexpr double kMostSigma = 1e6;
constexpr double kLeastBeta = 1e-9;
constexpr double kLeastRho = 0.01;
constexpr double kMostRho = 100;
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

TrainedFor TrainingOf(JsonConfig& json) {
  const std::string name = json.ClassName("");
  if (absl::StartsWith(name, "FlowMatch") ||
      json.String("prediction_type", "") == "flow_prediction") {
    return TrainedFor::kFlow;
  }
  if (absl::StartsWith(name, "EDM")) return TrainedFor::kEdm;
  if (absl::StartsWith(name, "ScoreSdeVe")) return TrainedFor::kScoreVe;
  if (absl::StartsWith(name, "ScoreSdeVp")) return TrainedFor::kScoreVp;
  return TrainedFor::kDiffusion;
}

void ReadBetas(JsonConfig& json, const SchedulerClass& defaults,
               SchedulerConfig& config) {
  config.beta_start = json.Number("beta_start", defaults.beta_start);
  config.beta_end = json.Number("beta_end", defaults.beta_end);
  config.beta_schedule = ReadEnum<BetaSchedule>(
      json, "beta_schedule", defaults.beta_schedule,
      {{"linear", BetaSchedule::kLinear},
       {"scaled_linear", BetaSchedule::kScaledLinear},
       {"squaredcos_cap_v2", BetaSchedule::kSquaredCosine}});
  config.trained_betas = json.Floats("trained_betas");
  config.rescale_betas_zero_snr = json.Bool("rescale_betas_zero_snr", false);
  const bool sound = config.beta_start >= kLeastBeta && config.beta_end < 1 &&
                     config.beta_start <= config.beta_end;
  if (!sound) {
    json.Fail(absl::StatusCode::kInvalidArgument, "beta_start",
              "and beta_end are not within 1e-9 <= beta_start <= beta_end < "
              "1");
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

void ReadTimesteps(JsonConfig& json, const SchedulerClass& defaults,
                   SchedulerConfig& config) {
  config.timestep_spacing =
      ReadEnum<TimestepSpacing>(json, "timestep_spacing", defaults.spacing,
                                {{"leading", TimestepSpacing::kLeading},
                                 {"trailing", TimestepSpacing::kTrailing},
                                 {"linspace", TimestepSpacing::kLinspace}});
  // Published files have 0 or 1; timesteps past the last are noise.
  config.steps_offset =
      static_cast<int>(json.Int("steps_offset", 0, /*min=*/0, kMaxStepsOffset));
  config.prediction_type =
      ReadEnum<PredictionType>(json, "prediction_type", "epsilon",
                               {{"epsilon", PredictionType::kEpsilon},
                                {"v_prediction", PredictionType::kVelocity},
                                {"sample", PredictionType::kSample}});
  json.RequireUnset("use_flow_sigmas");
  json.RequireUnset("use_dynamic_shifting");
}

void ReadSpacing(JsonConfig& json, SchedulerConfig& config) {
  if (json.Bool("use_karras_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kKarras;
  } else if (json.Bool("use_exponential_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kExponential;
  } else if (json.Bool("use_beta_sigmas", false)) {
    config.sigma_spacing = SigmaSpacing::kBeta;
  }
}

void ReadFinalSigma(JsonConfig& json, SchedulerConfig& config) {
  config.final_sigma_is_zero =
      ReadEnum<bool>(json, "final_sigmas_type", "zero",
                     {{"zero", true}, {"sigma_min", false}});
}

void ReadClipping(JsonConfig& json, const SchedulerClass& defaults,
                  SchedulerConfig& config) {
  config.set_alpha_to_one =
      json.Bool("set_alpha_to_one", defaults.set_alpha_to_one);
  config.clip_sample = json.Bool("clip_sample", defaults.clip_sample);
  config.clip_sample_range =
      json.Number("clip_sample_range", 1, kLeastSigma, kMostSigma);
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
}

void ReadFlow(JsonConfig& json, const SchedulerClass& own,
              SchedulerConfig& config) {
  config.prediction_type = PredictionType::kFlow;
  // What solvers that can do both know of the other kind: the cleanest level.
  ReadBetas(json, own, config);
  ReadClipping(json, own, config);
  const char* const shift = json.Has("flow_shift") ? "flow_shift" : "shift";
  config.shift = json.Number(shift, 1, kMinShift, kMaxShift);
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

void ReadScore(JsonConfig& json, bool exploding, SchedulerConfig& config) {
  config.num_train_timesteps =
      static_cast<int>(json.Int("num_train_timesteps", 2000, /*min=*/2));
  config.snr = json.Number("snr", exploding ? 0.15 : 0.16, 0, 1e3);
  config.sampling_eps =
      json.Number("sampling_eps", exploding ? 1e-5 : 1e-3, 1e-9, 0.5);
  config.correct_steps = static_cast<int>(
      json.Int("correct_steps", exploding ? 1 : 0, /*min=*/0, /*max=*/16));
  if (exploding) {
    config.sigma_min = json.Number("sigma_min", 0.01, 1e-6, 1e6);
    config.sigma_max = json.Number("sigma_max", 1348, *config.sigma_min, 1e6);
  }
  config.beta_min = json.Number("beta_min", 0.1, 1e-6, 1e3);
  config.beta_max = json.Number("beta_max", 20, config.beta_min, 1e3);
}

void ReadEnds(JsonConfig& json, SchedulerConfig& config) {
  config.sigma_min = json.OptionalNumber("sigma_min", kLeastSigma, kMostSigma);
  config.sigma_max = json.OptionalNumber(
      "sigma_max", config.sigma_min.value_or(kLeastSigma), kMostSigma);
}

void ReadEuler(JsonConfig& json, SchedulerConfig& config) {
  ReadFinalSigma(json, config);
  config.log_linear_interpolation =
      ReadEnum<bool>(json, "interpolation_type", "linear",
                     {{"linear", false}, {"log_linear", true}});
  config.continuous_timesteps =
      ReadEnum<bool>(json, "timestep_type", "discrete",
                     {{"discrete", false}, {"continuous", true}});
}

// After ReadOwn(), which says what the solver integrates.
void ReadEdm(JsonConfig& json, SchedulerConfig& config) {
  config.prediction_type =
      ReadEnum<PredictionType>(json, "prediction_type", "epsilon",
                               {{"epsilon", PredictionType::kEpsilon},
                                {"v_prediction", PredictionType::kVelocity}});
  config.sigma_spacing =
      ReadEnum<SigmaSpacing>(json, "sigma_schedule", "karras",
                             {{"karras", SigmaSpacing::kKarras},
                              {"exponential", SigmaSpacing::kExponential}});
  config.sigma_min =
      json.Number("sigma_min", 0.002, kLeastSigma, NoiseSource::kMaxSigma);
  config.sigma_max =
      json.Number("sigma_max", 80, kLeastSigma, NoiseSource::kMaxSigma);
  if (*config.sigma_max <= *config.sigma_min) {
    json.Fail(absl::StatusCode::kInvalidArgument, "sigma_max",
              absl::StrCat("(80 unless set) is not over sigma_min ",
                           *config.sigma_min));
  }
  config.sigma_data = json.Number("sigma_data", 0.5, kLeastSigma, kMostSigma);
  config.rho = json.Number("rho", 7, kLeastRho, kMostRho);
  if (!config.plus_plus) {
    json.Fail(absl::StatusCode::kUnimplemented, "algorithm_type",
              "is not dpmsolver++ or sde-dpmsolver++, as EDM needs");
  }
}

void ReadDdpm(JsonConfig& json, SchedulerConfig& config) {
  config.variance =
      ReadEnum<DdpmVariance>(json, "variance_type", "fixed_small",
                             {{"fixed_small", DdpmVariance::kFixedSmall},
                              {"fixed_small_log", DdpmVariance::kFixedSmall},
                              {"fixed_large", DdpmVariance::kFixedLarge},
                              {"learned", DdpmVariance::kLearned},
                              {"learned_range", DdpmVariance::kLearnedRange}});
}

void ReadDistilled(JsonConfig& json, SchedulerConfig& config) {
  config.original_inference_steps =
      static_cast<int>(json.Int("original_inference_steps", 50, /*min=*/1,
                                /*max=*/config.num_train_timesteps));
  config.timestep_scaling =
      json.Number("timestep_scaling", 10, kLeastSigma, kMostSigma);
}

// A file of one solver is read by the classes of the others; what only its own
// knows has there the class's default, as in the reference.
void ReadSolver(JsonConfig& json, const std::string& scheduler_class,
                SchedulerConfig& config) {
  const bool deis = scheduler_class == "DEISMultistepScheduler";
  const bool unipc = scheduler_class == "UniPCMultistepScheduler";
  const bool singlestep = scheduler_class == "DPMSolverSinglestepScheduler";
  config.solver_order = static_cast<int>(json.Int("solver_order", 2, 1));
  if (config.solver_order > 3) {
    json.Fail(absl::StatusCode::kInvalidArgument, "solver_order",
              "is not between 1 and 3");
  }
  config.lower_order_final = json.Bool("lower_order_final", !singlestep);
  const std::string type =
      ReadEnum<std::string>(json, "solver_type", unipc ? "bh2" : "midpoint",
                            {{"midpoint", "midpoint"},
                             {"heun", "heun"},
                             {"logrho", "logrho"},
                             {"bh1", "bh1"},
                             {"bh2", "bh2"}});
  config.heun = type == "heun";
  config.bh1 = type == "bh1";
  if (deis) {
    config.plus_plus = false;
    config.final_sigma_is_zero = false;
    return;
  }
  ReadFinalSigma(json, config);
  if (unipc) {
    config.plus_plus = json.Bool("predict_x0", true);
    // It has no clean estimate to bound.
    config.thresholding = config.thresholding && config.plus_plus;
    // Files have an empty list, which is none for Ints().
    if (!json.object().value("disable_corrector", nlohmann::json()).empty()) {
      config.disable_corrector = json.Ints("disable_corrector", {}, /*min=*/0);
    }
    json.RequireUnset("solver_p");
  } else {
    const std::string algorithm =
        ReadEnum<std::string>(json, "algorithm_type", "dpmsolver++",
                              {{"dpmsolver++", "dpmsolver++"},
                               {"dpmsolver", "dpmsolver"},
                               {"sde-dpmsolver++", "sde-dpmsolver++"},
                               {"sde-dpmsolver", "sde-dpmsolver"},
                               {"deis", "dpmsolver++"}});
    config.plus_plus = absl::EndsWith(algorithm, "++");
    config.stochastic_sampling = absl::StartsWith(algorithm, "sde");
    // Of a DDPM's file; a fixed one is what the class itself uses.
    if (!absl::StartsWith(json.String("variance_type", ""), "fixed")) {
      json.RequireUnset("variance_type");
    }
  }
  if (!config.plus_plus && config.final_sigma_is_zero) {
    json.Fail(absl::StatusCode::kInvalidArgument, "final_sigmas_type",
              "is not sigma_min, which solvers of the noise need");
  }
}

void ReadDpmSolver(JsonConfig& json, bool multistep, SchedulerConfig& config) {
  const bool stochastic_noise = config.stochastic_sampling && !config.plus_plus;
  if (stochastic_noise && (!multistep || config.solver_order > 2)) {
    json.Fail(absl::StatusCode::kUnimplemented, "algorithm_type",
              "has no such order");
  }
  if (multistep) {
    config.euler_at_final = json.Bool("euler_at_final", false);
    if (config.sigma_spacing == SigmaSpacing::kTimesteps &&
        json.Bool("use_lu_lambdas", false)) {
      config.sigma_spacing = SigmaSpacing::kLuLambdas;
    }
  } else {
    config.timestep_spacing = TimestepSpacing::kLinspace;
  }
  // -Infinity has no spelling in JSON: files leave it out or name it.
  const auto& object = json.object();
  const auto clipped = object.find("lambda_min_clipped");
  if (clipped != object.end() && clipped->is_number() &&
      std::isfinite(clipped->get<double>())) {
    config.lambda_min_clipped =
        json.Number("lambda_min_clipped", 0, -kMostSigma, 0);
  }
}

// What only some classes have.
void ReadOwn(JsonConfig& json, const std::string& scheduler_class,
             SchedulerConfig& config) {
  if (scheduler_class == "EulerDiscreteScheduler") ReadEuler(json, config);
  if (scheduler_class == "DDPMScheduler") ReadDdpm(json, config);
  if (scheduler_class == "LCMScheduler" || scheduler_class == "TCDScheduler") {
    ReadDistilled(json, config);
  }
  const bool multistep = scheduler_class == "DPMSolverMultistepScheduler";
  const bool dpm =
      multistep || scheduler_class == "DPMSolverSinglestepScheduler";
  if (dpm || scheduler_class == "DEISMultistepScheduler" ||
      scheduler_class == "UniPCMultistepScheduler") {
    ReadSolver(json, scheduler_class, config);
  }
  if (dpm) ReadDpmSolver(json, multistep, config);
  config.skip_prk_steps = json.Bool("skip_prk_steps", false);
}

void ReadDiffusion(JsonConfig& json, const SchedulerClass& own,
                   SchedulerConfig& config) {
  ReadBetas(json, own, config);
  ReadTimesteps(json, own, config);
  ReadClipping(json, own, config);
  const auto unsupported = [&](const char* key) {
    json.Fail(absl::StatusCode::kUnimplemented, key,
              absl::StrCat("is not supported by ", own.name));
  };
  if (!own.samples && config.prediction_type == PredictionType::kSample) {
    unsupported("prediction_type");
  }
  if (std::string(own.name) == "DDIMInverseScheduler" &&
      config.timestep_spacing == TimestepSpacing::kLinspace) {
    unsupported("timestep_spacing");
  }
}

}  // namespace

absl::StatusOr<SchedulerConfig> ParseSchedulerConfig(
    const nlohmann::json& object, const std::string& scheduler_class,
    const std::string& name) {
  JsonConfig json(object, name);
  SchedulerConfig config;
  const SchedulerClass* const own = FindSchedulerClass(scheduler_class);
  if (own == nullptr) return UnsupportedScheduler(scheduler_class);
  const TrainedFor trained_for = TrainingOf(json);
  if (!own->Reads(trained_for)) {
    json.Fail(absl::StatusCode::kUnimplemented, "_class_name",
              absl::StrCat("is of a model that ", scheduler_class,
                           " does not sample"));
    return json.status();
  }
  config.num_train_timesteps =
      static_cast<int>(json.Int("num_train_timesteps", 1000, /*min=*/2));
  if (own->spaces_sigmas) ReadSpacing(json, config);
  switch (trained_for) {
    case TrainedFor::kDiffusion:
      ReadDiffusion(json, *own, config);
      break;
    case TrainedFor::kFlow:
      ReadFlow(json, *own, config);
      break;
    case TrainedFor::kEdm:
      ReadClipping(json, *own, config);
      break;
    case TrainedFor::kScoreVe:
    case TrainedFor::kScoreVp:
      ReadScore(json, trained_for == TrainedFor::kScoreVe, config);
      break;
  }
  ReadOwn(json, own->name, config);
  if (trained_for == TrainedFor::kEdm) {
    ReadEdm(json, config);
  } else if (own->has_ends) {
    ReadEnds(json, config);
  }
  if (!json.status().ok()) return json.status();
  return config;
}

}  // namespace genzo
