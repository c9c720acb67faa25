#ifndef GENZO_WORKER_ADAPTERS_LORA_ADAPTER_H_
#define GENZO_WORKER_ADAPTERS_LORA_ADAPTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/lora_blocks.h"
#include "worker/adapters/adapter_targets.h"
#include "worker/adapters/lora_module_file.h"
#include "worker/device/placement.h"
#include "worker/nn/adapters.h"

namespace genzo {

// An adapter as a model has it in memory, at no request's weight yet.
// Immutable; any thread may use it.
class LoraAdapter {
 public:
  // Whether `file` fits the model, from names and sizes alone. INVALID_ARGUMENT
  // names a tensor: of a rank that is none, of another model's size, of a layer
  // that the model does not have. UNIMPLEMENTED: of a kind that is not read. A
  // part for a text encoder that the model does not have is left out.
  static absl::Status Check(const TensorSource& file,
                            const AdapterTargets& targets);

  // What it changes in the model, in order; nothing of a file that does not
  // fit.
  static LoraLayers LayersOf(const TensorSource& file,
                             const AdapterTargets& targets);

  // Reads it. Errors are those, and INVALID_ARGUMENT for values that are not
  // finite or, with file, layer and value, too large for the model's type or
  // for any network (delta_range.h).
  static absl::StatusOr<std::shared_ptr<const LoraAdapter>> Load(
      const TensorSource& file, const AdapterTargets& targets,
      const Placement& placement);

  // Bytes that Load() would take, from names and sizes alone.
  static int64_t BytesOf(const TensorSource& file,
                         const AdapterTargets& targets,
                         const Placement& placement);

  // Adds what it does to the layers of a component, "denoiser" or
  // "text_encoder", each at the weight that `weight_of` gives it by its name.
  // The order of adapters counts where one is DoRA: its factor is of what those
  // before it make of the layer.
  template <typename WeightOf>
  void AddTo(const std::string& component, const WeightOf& weight_of,
             AdapterSet& set) const {
    const auto found = components_.find(component);
    if (found == components_.end()) return;
    for (const auto& [name, layers] : found->second) {
      const double weight = weight_of(name);
      if (weight == 0) continue;
      for (const Layer& layer : layers) {
        Append(layer, weight, set.layers[name]);
      }
    }
  }

  bool Adapts(const std::string& component) const {
    return components_.count(component) > 0;
  }
  int64_t bytes() const { return bytes_; }

 private:
  struct Layer {
    LayerDelta delta;
    // DoRA: [out] float32 each. The norm of a row of W + s d is that of
    // base + 2 s both + s^2 own.
    at::Tensor magnitude, base, both, own;
  };
  class Loader;

  static void Append(const Layer& layer, double weight,
                     std::vector<LayerDelta>& deltas);

  std::map<std::string, std::map<std::string, std::vector<Layer>>> components_;
  int64_t bytes_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_LORA_ADAPTER_H_
