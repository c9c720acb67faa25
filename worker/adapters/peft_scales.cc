#include "worker/adapters/peft_scales.h"

#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kAccount[] = "lora_adapter_metadata";

// What the parts of a model are called there.
std::vector<std::string> PrefixesOf(const std::string& component) {
  if (component == "denoiser") return {"unet", "transformer"};
  return {component};
}

}  // namespace

PeftScales::PeftScales(const std::map<std::string, std::string>& metadata)
    : account_(json::object()) {
  const auto found = metadata.find(kAccount);
  if (found == metadata.end()) return;
  json read = json::parse(found->second, /*cb=*/nullptr,
                          /*allow_exceptions=*/false);
  if (read.is_object()) account_ = std::move(read);
}

const json* PeftScales::Find(const std::string& component,
                             const char* key) const {
  for (const std::string& prefix : PrefixesOf(component)) {
    const auto found = account_.find(absl::StrCat(prefix, ".", key));
    if (found != account_.end()) return &*found;
  }
  return nullptr;
}

double PeftScales::Of(const std::string& component, const std::string& module,
                      int64_t rank) const {
  const json* const general = Find(component, "lora_alpha");
  if (general == nullptr || !general->is_number() || rank <= 0) return 1;
  double alpha = general->get<double>();
  const json* const own = Find(component, "alpha_pattern");
  if (own != nullptr && own->is_object()) {
    // Each names modules by how they end.
    for (const auto& [pattern, value] : own->items()) {
      const std::string flat = absl::StrReplaceAll(pattern, {{".", "_"}});
      const bool is_it =
          module == flat || absl::EndsWith(module, absl::StrCat("_", flat));
      if (is_it && value.is_number()) alpha = value.get<double>();
    }
  }
  const json* const rs = Find(component, "use_rslora");
  const bool by_root = rs != nullptr && *rs == true;
  const auto size = static_cast<double>(rank);
  return alpha / (by_root ? std::sqrt(size) : size);
}

}  // namespace genzo
