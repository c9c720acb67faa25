#ifndef GENZO_WORKER_ADAPTERS_ADAPTER_TARGETS_H_
#define GENZO_WORKER_ADAPTERS_ADAPTER_TARGETS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/weights/single_file/name_rules.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// The layers of a loaded model that adapters may change, and every name that
// files call them by. Immutable once made; any thread may use it.
class AdapterTargets {
 public:
  // Outputs of a module, `rows` from `begin` on, in the order in which the
  // layer has them.
  struct Span {
    int64_t begin;
    int64_t rows;
  };
  struct Layer {
    std::string name;         // in the component
    std::vector<Span> spans;  // of the module's outputs
  };
  // What one module of a file is to this model: a layer, or several that the
  // original code has in one.
  struct Module {
    std::string component;
    int64_t outputs = 0;
    std::vector<int64_t> inputs;  // of each output: [in], [in, k, k]
    std::vector<Layer> layers;
  };

  // Adds a component's layers: all with a matrix or a kernel but those whose
  // names begin with one of `without`.
  void Add(const std::string& component,
           const std::shared_ptr<const TensorSource>& tensors,
           const std::vector<std::string>& without = {});
  // And what else files call them.
  void AddNames(const std::string& component, const NameRules& rules);

  bool Has(const std::string& component) const {
    return tensors_.count(component) > 0;
  }

  // The tensors of a component, which it has.
  const Entries& TensorsOf(const std::string& component) const {
    return tensors_.at(component)->entries();
  }

  // The module that a file calls so ("lora_unet_mid_block_..."); null if there
  // is none. `component` is where it would be.
  const Module* Find(const std::string& name, std::string& component) const;

  // The weight of a layer, in float32 on the CPU. Errors are those of reading.
  absl::StatusOr<at::Tensor> Weight(const std::string& component,
                                    const std::string& layer) const;

 private:
  void AddLayer(const std::string& component, const std::string& name,
                const std::string& layer, const TensorEntry& entry,
                int64_t outputs, const std::vector<Span>& spans);

  // By component and "_" for "." in the name.
  std::map<std::pair<std::string, std::string>, Module> modules_;
  std::map<std::string, std::shared_ptr<const TensorSource>> tensors_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_ADAPTER_TARGETS_H_
