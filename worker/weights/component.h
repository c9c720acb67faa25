#ifndef GENZO_WORKER_WEIGHTS_COMPONENT_H_
#define GENZO_WORKER_WEIGHTS_COMPONENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/device/placement.h"
#include "worker/weights/model_index.h"
#include "worker/weights/weights.h"

namespace genzo {

// A component's configuration and weights, read but not yet checked together.
template <typename Config>
struct Component {
  Config config;
  Weights weights;
};

// Opens a component; `read` takes its config.json.
template <typename Config>
absl::StatusOr<Component<Config>> OpenComponent(
    const ComponentFiles& files,
    absl::StatusOr<Config> (*read)(const TextFile&),
    const Placement& placement) {
  auto config = read(files.At("config.json"));
  if (!config.ok()) return config.status();
  auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  return Component<Config>{
      *std::move(config),
      Weights(*std::move(tensors), placement.dtype, placement.device)};
}

// The same for a component that the index names with its class.
template <typename Config>
absl::StatusOr<Component<Config>> OpenComponent(
    const ModelIndex& index, const std::string& name,
    const std::string& class_name,
    absl::StatusOr<Config> (*read)(const TextFile&),
    const Placement& placement) {
  const auto files = index.Component(name, class_name);
  if (!files.ok()) return files.status();
  return OpenComponent(*files, read, placement);
}

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_COMPONENT_H_
