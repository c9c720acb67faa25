#include "worker/residency/model_description.h"

#include <algorithm>

#include "base/proto_time.h"
#include "worker/device/device_names.h"

namespace genzo {
namespace {

constexpr uint32_t kMinSidePixels = 64;
constexpr char kFamily[] = "stable-diffusion";
constexpr int kProbedSteps = 10;

void SetLimits(const DiffusionModel& model, const Config& config,
               v1::Model& description) {
  const int64_t multiple = std::max<int64_t>(8, model.pixels_per_latent());
  const int64_t largest = std::min<int64_t>(model.default_side_pixels(),
                                            config.limits.max_side_pixels);
  const int64_t side = std::max(multiple, largest / multiple * multiple);
  description.set_default_width(side);
  description.set_default_height(side);
  v1::ModelLimits& limits = *description.mutable_limits();
  limits.set_size_multiple(multiple);
  limits.set_min_side(std::min<uint32_t>(kMinSidePixels, side));
  limits.set_max_side(config.limits.max_side_pixels);
  limits.set_max_steps(
      std::min(config.limits.max_steps, model.train_timesteps()));
  limits.set_max_image_count(config.limits.max_image_count);
  limits.set_max_clip_skip(model.text_layers() - 1);
}

}  // namespace

std::map<SamplerId, EvaluationCount> CountEvaluations(
    const DiffusionModel& model) {
  const auto evaluations = [&](SamplerId id, int steps) {
    auto source = std::make_shared<SeededNoise>(/*seed=*/0);
    const at::Tensor noise = source->Draw({1, 1, 1, 1});
    const auto sampler =
        CreateSampler(id, model.scheduler(), {.steps = steps},
                      {.noise = noise, .source = std::move(source)});
    return sampler.ok() ? (*sampler)->steps() : 0;
  };
  std::map<SamplerId, EvaluationCount> counts;
  for (const SamplerSpec& spec : Samplers()) {
    // Two points of a line; more steps than that have no other beginning.
    const int fewer = evaluations(spec.id, kProbedSteps);
    const int more = evaluations(spec.id, kProbedSteps + 1);
    if (fewer == 0 || more == 0) continue;
    const int per_step = more - fewer;
    counts[spec.id] = {.per_step = per_step,
                       .extra = fewer - per_step * kProbedSteps};
  }
  return counts;
}

v1::Model DescribeModel(const std::string& id, const DiffusionModel& model,
                        const StepProfile& profile, const Config& config) {
  v1::Model description;
  description.set_id(id);
  description.set_family(kFamily);
  SetLimits(model, config, description);
  description.add_samplers(model.default_sampler());
  for (const SamplerSpec& spec : Samplers()) {
    const bool usable =
        ParseSchedulerConfig(model.scheduler(), spec.scheduler_class).ok();
    if (usable && spec.id != model.default_sampler()) {
      description.add_samplers(spec.id);
    }
  }
  description.set_weight_bytes(model.weight_bytes());
  description.set_has_tiny_decoder(model.decoder().has_tiny());
  description.set_dtype(DtypeName(model.dtype()));
  description.set_row_cap(profile.costs.RowCap(config.max_batch_rows));
  for (const auto& [rows, duration] : profile.costs.measured()) {
    v1::StepCost& cost = *description.add_step_costs();
    cost.set_rows(rows);
    *cost.mutable_duration() = ToProto(duration);
  }
  return description;
}

}  // namespace genzo
