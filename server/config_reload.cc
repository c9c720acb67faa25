#include "server/config_reload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

bool Has(const std::vector<ModelConfig>& models, const ModelConfig& model) {
  return std::find(models.begin(), models.end(), model) != models.end();
}

bool HasId(const std::vector<ModelConfig>& models, const std::string& id) {
  return std::any_of(
      models.begin(), models.end(),
      [&id](const ModelConfig& model) { return model.id == id; });
}

}  // namespace

ReloadPlan PlanReload(const Config& started, const Config& wanted) {
  ReloadPlan plan;
  plan.log_level = wanted.log_level;
  const auto limit = [&](const char* key, int at_start, int now) {
    if (now > at_start) plan.not_applied.emplace_back(key);
    return std::min(at_start, now);
  };
  const RequestLimits& old = started.limits;
  const RequestLimits& now = wanted.limits;
  plan.limits = {
      .max_side_pixels = limit("limits.max_side_pixels", old.max_side_pixels,
                               now.max_side_pixels),
      .max_steps = limit("limits.max_steps", old.max_steps, now.max_steps),
      .max_image_count = limit("limits.max_image_count", old.max_image_count,
                               now.max_image_count),
      // Nothing is set up with this one.
      .max_prompt_bytes = now.max_prompt_bytes,
      .max_image_bytes = limit("limits.max_image_mb", old.max_image_bytes,
                               now.max_image_bytes),
      .pictures = old.pictures};
  const auto compare = [&](const char* key, const auto& before,
                           const auto& after) {
    if (!(before == after)) plan.not_applied.emplace_back(key);
  };
  compare("listen", started.listen, wanted.listen);
  compare("admin", started.admin, wanted.admin);
  compare("admin_listen", started.admin_listen, wanted.admin_listen);
  compare("http", started.http, wanted.http);
  compare("insecure", started.insecure, wanted.insecure);
  for (const ModelConfig& model : wanted.models) {
    if (!Has(started.models, model)) plan.models.push_back(model);
  }
  for (const ModelConfig& model : started.models) {
    // Jobs may wait for it.
    if (!HasId(wanted.models, model.id)) {
      plan.not_applied.push_back(absl::StrCat("models without ", model.id));
    }
  }
  compare("models_folder", started.models_folder, wanted.models_folder);
  compare("controlnets", started.controlnets, wanted.controlnets);
  compare("ip_adapters", started.ip_adapters, wanted.ip_adapters);
  compare("upscalers", started.upscalers, wanted.upscalers);
  compare("upscale_memory_mb", started.upscale_memory_mb,
          wanted.upscale_memory_mb);
  compare("default_model", started.default_model, wanted.default_model);
  compare("embeddings", started.embeddings, wanted.embeddings);
  compare("kept_latents", started.kept_latents, wanted.kept_latents);
  compare("loras", started.loras, wanted.loras);
  compare("lora_budget_mb", started.lora_budget_mb, wanted.lora_budget_mb);
  compare("devices", started.devices, wanted.devices);
  compare("dtype", started.dtype, wanted.dtype);
  compare("threads", started.threads, wanted.threads);
  compare("auth", started.auth, wanted.auth);
  compare("tls", started.tls, wanted.tls);
  compare("webhooks", started.webhooks, wanted.webhooks);
  compare("jobs", started.jobs, wanted.jobs);
  compare("delivery", started.delivery, wanted.delivery);
  compare("scorers", started.scorers, wanted.scorers);
  compare("safety", started.safety, wanted.safety);
  compare("provenance", started.provenance, wanted.provenance);
  compare("result_cache", started.result_cache, wanted.result_cache);
  compare("admin_api", started.admin_api, wanted.admin_api);
  compare("queue_capacity", started.queue_capacity, wanted.queue_capacity);
  compare("max_live_runs", started.max_live_runs, wanted.max_live_runs);
  compare("max_batch_rows", started.max_batch_rows, wanted.max_batch_rows);
  compare("max_wait_steps", started.max_wait_steps, wanted.max_wait_steps);
  compare("memory_budget_mb", started.memory_budget_mb,
          wanted.memory_budget_mb);
  compare("text_cache_mb", started.text_cache_mb, wanted.text_cache_mb);
  compare("profile_folder", started.profile_folder, wanted.profile_folder);
  compare("shutdown_grace_seconds", started.shutdown_grace,
          wanted.shutdown_grace);
  compare("log_format", started.log_format, wanted.log_format);
  compare("log_prompts", started.log_prompts, wanted.log_prompts);
  compare("tracing", started.tracing, wanted.tracing);
  compare("stall_seconds", started.stall_after, wanted.stall_after);
  return plan;
}

}  // namespace genzo
