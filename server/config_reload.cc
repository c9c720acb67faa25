#include "server/config_reload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// A setting that counts from a start on.
struct Setting {
  const char* key;
  bool (*is_same)(const Config& one, const Config& other);
};

template <auto member>
constexpr Setting At(const char* key) {
  return {key, [](const Config& one, const Config& other) {
            return one.*member == other.*member;
          }};
}

constexpr Setting kOfAStart[] = {
    At<&Config::listen>("listen"),
    At<&Config::admin>("admin"),
    At<&Config::admin_listen>("admin_listen"),
    At<&Config::reflection>("reflection"),
    At<&Config::channelz>("channelz"),
    At<&Config::http>("http"),
    At<&Config::insecure>("insecure"),
    At<&Config::models_folder>("models_folder"),
    At<&Config::controlnets>("controlnets"),
    At<&Config::ip_adapters>("ip_adapters"),
    At<&Config::upscalers>("upscalers"),
    At<&Config::upscale_memory_mb>("upscale_memory_mb"),
    At<&Config::default_model>("default_model"),
    At<&Config::embeddings>("embeddings"),
    At<&Config::kept_latents>("kept_latents"),
    At<&Config::loras>("loras"),
    At<&Config::lora_budget_mb>("lora_budget_mb"),
    At<&Config::devices>("devices"),
    At<&Config::dtype>("dtype"),
    At<&Config::threads>("threads"),
    At<&Config::auth>("auth"),
    At<&Config::tls>("tls"),
    At<&Config::webhooks>("webhooks"),
    At<&Config::jobs>("jobs"),
    At<&Config::delivery>("delivery"),
    At<&Config::scorers>("scorers"),
    At<&Config::safety>("safety"),
    At<&Config::provenance>("provenance"),
    At<&Config::result_cache>("result_cache"),
    At<&Config::admin_api>("admin_api"),
    At<&Config::queue_capacity>("queue_capacity"),
    At<&Config::max_live_runs>("max_live_runs"),
    At<&Config::max_batch_rows>("max_batch_rows"),
    At<&Config::max_wait_steps>("max_wait_steps"),
    At<&Config::memory_budget_mb>("memory_budget_mb"),
    At<&Config::text_cache_mb>("text_cache_mb"),
    At<&Config::profile_folder>("profile_folder"),
    At<&Config::shutdown_grace>("shutdown_grace_seconds"),
    At<&Config::log_format>("log_format"),
    At<&Config::log_prompts>("log_prompts"),
    At<&Config::tracing>("tracing"),
    At<&Config::stall_after>("stall_seconds"),
};

bool Has(const std::vector<ModelConfig>& models, const ModelConfig& model) {
  return std::find(models.begin(), models.end(), model) != models.end();
}

bool HasId(const std::vector<ModelConfig>& models, const std::string& id) {
  return std::any_of(
      models.begin(), models.end(),
      [&id](const ModelConfig& model) { return model.id == id; });
}

// Of what a server was started with and what is wanted `now`. Adds the keys of
// those that were to become looser.
RequestLimits StricterOf(const RequestLimits& started, const RequestLimits& now,
                         std::vector<std::string>& not_applied) {
  RequestLimits limits = started;
  const auto take = [&](const char* key, int RequestLimits::*limit) {
    if (now.*limit > started.*limit) not_applied.emplace_back(key);
    limits.*limit = std::min(started.*limit, now.*limit);
  };
  take("limits.max_side_pixels", &RequestLimits::max_side_pixels);
  take("limits.max_steps", &RequestLimits::max_steps);
  take("limits.max_image_count", &RequestLimits::max_image_count);
  take("limits.max_image_mb", &RequestLimits::max_image_bytes);
  limits.max_prompt_bytes = now.max_prompt_bytes;  // nothing is set up with it
  return limits;
}

}  // namespace

ReloadPlan PlanReload(const Config& started, const Config& wanted,
                      const std::set<std::string>& broken) {
  ReloadPlan plan;
  plan.log_level = wanted.log_level;
  plan.limits = StricterOf(started.limits, wanted.limits, plan.not_applied);
  for (const ModelConfig& model : wanted.models) {
    if (!Has(started.models, model) || broken.count(model.id) > 0) {
      plan.models.push_back(model);
    }
  }
  for (const ModelConfig& model : started.models) {
    if (HasId(wanted.models, model.id)) continue;
    if (model.id != started.default_model) {
      plan.gone.push_back(model.id);
    } else {
      plan.not_applied.push_back(
          absl::StrCat("models without ", model.id, ", the default one"));
    }
  }
  for (const Setting& setting : kOfAStart) {
    if (!setting.is_same(started, wanted)) {
      plan.not_applied.emplace_back(setting.key);
    }
  }
  return plan;
}

}  // namespace genzo
