#include "worker/weights/single_file/latent_settings.h"

#include "absl/strings/str_cat.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kKey[] = "genzo.latents";

// The settings, with what our reader has for keys that are missing.
json SettingsOf(const json& config) {
  json settings = {{"force_upcast", false},     {"latents_mean", nullptr},
                   {"latents_std", nullptr},    {"norm_num_groups", 32},
                   {"scaling_factor", 0.18215}, {"shift_factor", nullptr}};
  for (auto& [key, value] : settings.items()) {
    const auto found = config.find(key);
    if (found != config.end() && !found->is_null()) value = *found;
  }
  return settings;
}

}  // namespace

void AddLatentSettings(const json& config, const json& derived,
                       std::map<std::string, std::string>& metadata) {
  const json expected = SettingsOf(derived);
  json changes = json::object();
  const json settings = SettingsOf(config);
  for (const auto& [key, value] : settings.items()) {
    if (value != expected[key]) changes[key] = value;
  }
  if (!changes.empty()) metadata[kKey] = changes.dump();
}

absl::Status ReadLatentSettings(const TensorSource& file, json& config) {
  const auto said = file.metadata().find(kKey);
  if (said == file.metadata().end()) return absl::OkStatus();
  const auto changes = ParseJson(said->second);
  if (!changes.ok() || !changes->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.path(), ": metadata ", kKey, " is not a JSON object"));
  }
  const json known = SettingsOf(json::object());
  for (const auto& [key, value] : changes->items()) {
    if (known.contains(key)) config[key] = value;
  }
  return absl::OkStatus();
}

}  // namespace genzo
