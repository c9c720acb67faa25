#include "worker/residency/model_description.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "worker/device/device_names.h"

namespace genzo {
namespace {

constexpr uint32_t kMinSidePixels = 64;

// A side that the model was trained on, as far as the limits allow it.
uint32_t DefaultSide(int64_t own, int64_t multiple, const Config& config) {
  const int64_t largest = std::min<int64_t>(own, config.limits.max_side_pixels);
  return static_cast<uint32_t>(
      std::max(multiple, largest / multiple * multiple));
}

void SetSizes(const PipelineTraits& traits, const Config& config,
              v1::Model& description) {
  const uint32_t width =
      DefaultSide(traits.default_width, traits.size_multiple, config);
  const uint32_t height =
      DefaultSide(traits.default_height, traits.size_multiple, config);
  description.set_default_width(width);
  description.set_default_height(height);
  v1::ModelLimits& limits = *description.mutable_limits();
  limits.set_size_multiple(static_cast<uint32_t>(traits.size_multiple));
  limits.set_min_side(std::min({kMinSidePixels, width, height}));
  limits.set_max_side(config.limits.max_side_pixels);
  limits.set_max_steps(std::min(config.limits.max_steps, traits.max_steps));
  limits.set_max_image_count(config.limits.max_image_count);
  limits.set_max_clip_skip(static_cast<uint32_t>(traits.max_clip_skip));
  limits.set_max_image_bytes(config.limits.max_image_bytes);
}

void SetSamplers(const PipelineTraits& traits, v1::Model& description) {
  for (const SamplerId id : traits.samplers) {
    v1::SamplerSupport& support = *description.add_samplers();
    support.set_sampler(id);
    const auto found = traits.needs.find(id);
    const SamplerNeeds needs =
        found == traits.needs.end() ? SamplerNeeds() : found->second;
    support.set_takes_sigmas(needs.takes_sigmas);
    support.set_takes_timesteps(needs.takes_timesteps);
    support.set_min_steps(needs.min_steps);
    for (const SigmaSchedule schedule : needs.schedules) {
      if (schedule != SigmaSchedule::kDefault) {
        support.add_schedules(ToProto(schedule));
      }
    }
  }
}

void SetDefaults(const PipelineTraits& traits, v1::Model& description) {
  const PipelineDefaults& defaults = traits.defaults;
  description.set_default_sampler(defaults.sampler);
  description.set_default_schedule(ToProto(defaults.schedule));
  description.set_default_steps(
      std::min<uint32_t>(defaults.steps, description.limits().max_steps()));
  description.set_default_guidance_scale(defaults.guidance_scale);
  description.set_transformer_layers(traits.transformer_layers);
}

// The layers by what stands before their transformers' own parts, once each.
void AddAttentionLayers(const Pipeline& model, v1::Model& description) {
  const auto& fields = model.traits().request_fields;
  if (!absl::c_linear_search(fields, "guidance.perturbed_layers")) return;
  std::string last;
  for (const std::string& name : model.denoiser().SelfAttentions()) {
    std::string layer = name.substr(0, name.find(".transformer_blocks."));
    if (layer == last) continue;
    description.add_attention_layers(layer);
    last = std::move(layer);
  }
}

}  // namespace

bool NameEmbeddings(const std::vector<int64_t>& text_widths,
                    const EmbeddingLibrary& embeddings,
                    v1::Model& description) {
  v1::Model named;
  for (const LearnedEmbedding& embedding : embeddings.embeddings()) {
    if (text_widths.empty() || !embedding.Fits(text_widths)) continue;
    v1::Embedding& told = *named.add_embeddings();
    told.set_name(embedding.name);
    const at::Tensor& rows = embedding.vectors[0];  // [N, D]
    told.set_vectors(static_cast<uint32_t>(rows.size(0)));
    told.set_width(static_cast<uint32_t>(rows.size(1)));
  }
  named.mutable_embeddings()->Swap(description.mutable_embeddings());
  return !std::equal(
      named.embeddings().begin(), named.embeddings().end(),
      description.embeddings().begin(), description.embeddings().end(),
      [](const v1::Embedding& a, const v1::Embedding& b) {
        return a.name() == b.name() && a.vectors() == b.vectors() &&
               a.width() == b.width();
      });
}

std::map<SamplerId, EvaluationCount> CountEvaluations(
    const PipelineTraits& traits) {
  std::map<SamplerId, EvaluationCount> counts;
  for (const auto& [id, line] : traits.evaluations) {
    counts[id] = {.per_step = line.per_step, .extra = line.extra};
  }
  return counts;
}

v1::Model DescribeModel(const std::string& id, const Pipeline& model,
                        const Config& config) {
  const PipelineTraits& traits = model.traits();
  v1::Model description;
  description.set_id(id);
  description.set_family(traits.family);
  for (const v1::Task task : traits.tasks) description.add_tasks(task);
  for (const std::string& field : traits.request_fields) {
    description.add_request_fields(field);
  }
  AddAttentionLayers(model, description);
  SetSizes(traits, config, description);
  SetSamplers(traits, description);
  SetDefaults(traits, description);
  description.add_preview_decoders(v1::PREVIEW_DECODER_LINEAR);
  description.add_preview_decoders(v1::PREVIEW_DECODER_FULL);
  if (model.codec().has_tiny()) {
    description.add_preview_decoders(v1::PREVIEW_DECODER_TINY);
  }
  description.set_rows_per_image(static_cast<uint32_t>(traits.rows));
  description.set_guided_rows_per_image(
      static_cast<uint32_t>(traits.guided_rows));
  description.set_weight_bytes(model.weight_bytes());
  description.set_dtype(DtypeName(model.placement().dtype));
  return description;
}

}  // namespace genzo
