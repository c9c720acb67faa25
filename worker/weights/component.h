#ifndef GENZO_WORKER_WEIGHTS_COMPONENT_H_
#define GENZO_WORKER_WEIGHTS_COMPONENT_H_

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "worker/device/placement.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/weights.h"

namespace genzo {

// A component's configuration and weights, read but not yet checked together.
template <typename Config>
struct Component {
  Config config;
  Weights weights;
};

// Opens the component in `folder`; `read` takes the path of its config.json.
template <typename Config>
absl::StatusOr<Component<Config>> OpenComponent(
    const std::string& folder,
    absl::StatusOr<Config> (*read)(const std::string&),
    const Placement& placement) {
  auto config = read((std::filesystem::path(folder) / "config.json").string());
  if (!config.ok()) return config.status();
  auto weights = OpenWeights(folder, placement.dtype, placement.device);
  if (!weights.ok()) return weights.status();
  return Component<Config>{*std::move(config), *std::move(weights)};
}

// The same for a component that the index names with its class.
template <typename Config>
absl::StatusOr<Component<Config>> OpenComponent(
    const ModelIndex& index, const std::string& name,
    const std::string& class_name,
    absl::StatusOr<Config> (*read)(const std::string&),
    const Placement& placement) {
  const auto folder = index.Component(name, class_name);
  if (!folder.ok()) return folder.status();
  return OpenComponent(*folder, read, placement);
}

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_COMPONENT_H_
