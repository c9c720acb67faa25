#include <algorithm>
#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/sampler/create_sampler.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

// The scheduler's configuration, with what the case's set_timesteps() was told.
absl::StatusOr<json> ConfigOf(const json& manifest) {
  json config = manifest["config"];
  for (const auto& item : manifest["set_timesteps_kwargs"].items()) {
    if (item.key() != "mu") {
      return absl::UnimplementedError(
          absl::StrCat("argument ", item.key(), " of set_timesteps"));
    }
    // The shift that an image of any size has in a flat configuration.
    config["base_shift"] = config["max_shift"] = item.value();
  }
  config["_class_name"] = manifest["scheduler"];
  return config;
}

// Walks one case, each element of its batch as a run of its own, but for
// corrected ones.
class SchedulerCase {
 public:
  SchedulerCase(const Golden& golden, const std::string& name, Report& report)
      : golden_(golden),
        name_(name),
        manifest_(golden.manifest["cases"][name]),
        report_(report),
        corrected_(golden.Has(name + "/corrector_output")),
        rows_(corrected_ ? 2 : 1) {}

  absl::Status Create() {
    const std::set<std::string> known = {"eta",     "use_clipped_model_output",
                                         "s_churn", "s_tmin",
                                         "s_tmax",  "s_noise"};
    for (const auto& item : manifest_["step_kwargs"].items()) {
      if (known.count(item.key()) == 0) {
        return absl::UnimplementedError(absl::StrCat("argument ", item.key()));
      }
    }
    const auto config = ConfigOf(manifest_);
    if (!config.ok()) return config.status();
    const json& arguments = manifest_["step_kwargs"];
    SamplerOptions options = {
        .steps = manifest_["num_inference_steps"].get<int>(),
        .use_clipped_model_output =
            arguments.value("use_clipped_model_output", false),
        .image_tokens = 1,
        .churn = {.amount = arguments.value("s_churn", 0.0),
                  .min_sigma = arguments.value("s_tmin", 0.0),
                  .max_sigma = arguments.value("s_tmax", 1e30),
                  .noise = arguments.value("s_noise", 1.0)}};
    if (arguments.contains("eta")) options.eta = arguments["eta"].get<double>();
    const std::string name = manifest_["scheduler"];
    const bool inverts = name == "DDIMInverseScheduler";
    const at::Tensor noise = Tensor("initial_noise");
    const int64_t runs = noise.size(0) / rows_;
    for (int64_t i = 0; i < runs; ++i) {
      const at::Tensor from = noise.narrow(0, i * rows_, rows_);
      auto sampler = CreateSamplerOfClass(
          name, SigmaSchedule::kDefault, *config, options,
          {.noise = from,
           .sample = inverts ? from : at::Tensor(),
           .source = std::make_shared<RecordedNoise>(Draws(i))});
      if (!sampler.ok()) return sampler.status();
      samplers_.push_back(*std::move(sampler));
    }
    return absl::OkStatus();
  }

  void Compare() {
    report_.CompareTensors("start", Latents(), Tensor("initial_sample"));
    const at::Tensor timesteps = Tensor(corrected_ ? "sigmas" : "timesteps");
    const at::Tensor outputs = Tensor("model_output");
    const at::Tensor expected = Tensor("sample_out");
    const int64_t steps = expected.size(0);
    const int evaluations = samplers_[0]->progress().evaluations;
    if (evaluations != steps * (corrected_ ? 2 : 1)) {
      return report_.Fail(
          absl::StrCat(evaluations, " evaluations for ", steps, " outputs"));
    }
    for (int64_t step = 0; step < steps; ++step) {
      const double timestep = timesteps[step].item<double>();
      report_.Compare("timestep",
                      std::abs(samplers_[0]->Next()->timestep - timestep),
                      1e-3);
      if (corrected_) {
        Take(Tensor("corrector_output")[step]);
        report_.CompareTensors("corrected", Latents(),
                               Tensor("corrected_sample")[step]);
      }
      if (golden_.Has(name_ + "/model_input")) {
        report_.CompareTensors("input", Inputs(), Tensor("model_input")[step]);
      }
      Take(outputs[step]);
      // A score-based pipeline returns the last step's mean.
      const bool mean =
          golden_.Has(name_ + "/sample_mean") && step == steps - 1;
      report_.CompareTensors(
          "latents", Latents(),
          mean ? Tensor("sample_mean")[step] : expected[step]);
    }
  }

 private:
  at::Tensor Tensor(const std::string& tensor) const {
    return golden_.Tensor(absl::StrCat(name_, "/", tensor));
  }

  std::vector<at::Tensor> Draws(int64_t element) const {
    std::vector<at::Tensor> draws;
    if (!golden_.Has(name_ + "/noise")) return draws;
    const at::Tensor noise = Tensor("noise");
    for (int64_t draw = 0; draw < noise.size(0); ++draw) {
      draws.push_back(noise[draw].narrow(0, element * rows_, rows_));
    }
    return draws;
  }

  void Take(const at::Tensor& outputs) {
    for (size_t i = 0; i < samplers_.size(); ++i) {
      samplers_[i]->Take(
          outputs.narrow(0, static_cast<int64_t>(i) * rows_, rows_));
    }
  }

  at::Tensor Latents() const {
    std::vector<at::Tensor> latents;
    for (const auto& sampler : samplers_) latents.push_back(sampler->latent());
    return at::cat(latents);
  }

  at::Tensor Inputs() const {
    std::vector<at::Tensor> inputs;
    for (const auto& sampler : samplers_) {
      inputs.push_back(sampler->Next()->sample);
    }
    return at::cat(inputs);
  }

  const Golden& golden_;
  const std::string name_;
  const json& manifest_;
  Report& report_;
  const bool corrected_;  // by Langevin dynamics
  // Of one run: corrections take means over the rows.
  const int64_t rows_;
  std::vector<std::unique_ptr<SamplerRun>> samplers_;
};

// Noises each picture of a batch to the level of its timestep.
void RunAddNoise(const Golden& golden, const std::string& name,
                 Report& report) {
  const json& manifest = golden.manifest["cases"][name];
  const auto config = ConfigOf(manifest);
  if (!config.ok()) {
    return report.Unsupported(std::string(config.status().message()));
  }
  const auto id = DefaultSampler(*config);
  if (!id.ok()) return report.Unsupported(std::string(id.status().message()));
  const auto plan = PlanOf(
      *id, SigmaSchedule::kDefault, *config,
      {.steps = manifest["num_inference_steps"].get<int>(), .image_tokens = 1},
      /*first_step=*/0);
  if (absl::IsUnimplemented(plan.status())) {
    return report.Unsupported(std::string(plan.status().message()));
  }
  if (!plan.ok()) return report.Fail(std::string(plan.status().message()));
  const auto tensor = [&](const char* part) {
    return golden.Tensor(absl::StrCat(name, "/add_noise.", part));
  };
  const at::Tensor timesteps = tensor("timesteps");
  for (int64_t i = 0; i < timesteps.size(0); ++i) {
    const auto found = std::find_if(
        plan->timesteps.begin(), plan->timesteps.end(), [&](double timestep) {
          return std::abs(timestep - timesteps[i].item<double>()) < 1e-3;
        });
    if (found == plan->timesteps.end()) {
      return report.Fail("a timestep is not one of the walk's");
    }
    // Where a step looks twice, the reference noises for its second look to the
    // level of its end.
    const auto at = static_cast<size_t>(found - plan->timesteps.begin());
    const bool second =
        at > 0 && plan->steps_done[at] == plan->steps_done[at - 1];
    const NoiseLevel level = plan->levels[at + (second ? 1 : 0)];
    report.CompareTensors(
        "noised", Noised(tensor("original")[i], tensor("noise")[i], level),
        tensor("out")[i]);
  }
}

void RunCase(const Golden& golden, const std::string& name, Report& report) {
  SchedulerCase test(golden, name, report);
  const absl::Status created = test.Create();
  if (absl::IsUnimplemented(created)) {
    return report.Unsupported(std::string(created.message()));
  }
  if (!created.ok()) return report.Fail(std::string(created.message()));
  test.Compare();
}

}  // namespace

std::vector<Report> RunSchedulerCases(const Golden& golden) {
  std::vector<Report> reports;
  const std::string scheduler = golden.manifest["name"];
  for (const auto& item : golden.manifest["cases"].items()) {
    const std::string name = absl::StrCat(scheduler, "/", item.key());
    RunCase(golden, item.key(), reports.emplace_back(name));
    if (golden.Has(item.key() + "/add_noise.out")) {
      RunAddNoise(golden, item.key(),
                  reports.emplace_back(name + "/add_noise"));
    }
  }
  return reports;
}

Report RunBetaTables(const Golden& golden) {
  Report report("beta-tables");
  const auto compare = [&](const std::string& name, SchedulerConfig config) {
    config.rescale_betas_zero_snr = absl::StrContains(name, "zero-snr");
    const std::vector<float> betas = MakeBetas(config);
    const std::vector<float> products = MakeAlphasCumprod(config);
    report.CompareTensors("betas", at::tensor(betas),
                          golden.Tensor(name + ".betas"));
    report.CompareTensors("alphas_cumprod", at::tensor(products),
                          golden.Tensor(name + ".alphas_cumprod"));
  };
  SchedulerConfig scaled;
  scaled.beta_start = 0.00085;
  scaled.beta_end = 0.012;
  scaled.beta_schedule = BetaSchedule::kScaledLinear;
  SchedulerConfig cosine;
  cosine.beta_schedule = BetaSchedule::kSquaredCosine;
  for (const char* suffix : {"", ".zero-snr"}) {
    compare(absl::StrCat("default", suffix), scaled);
    compare(absl::StrCat("beta-linear", suffix), SchedulerConfig());
    compare(absl::StrCat("beta-cosine", suffix), cosine);
  }
  return report;
}

}  // namespace genzo::parity
