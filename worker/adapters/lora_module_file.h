#ifndef GENZO_WORKER_ADAPTERS_LORA_MODULE_FILE_H_
#define GENZO_WORKER_ADAPTERS_LORA_MODULE_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/adapters/adapter_targets.h"
#include "worker/adapters/lora_names.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// Ranks of published files go up to some hundreds.
inline constexpr int64_t kMaxLoraRank = 4096;

// The tensors of one module of a file, and what is wrong with their sizes. What
// it is made of outlives it.
class LoraModuleFile {
 public:
  using Module = AdapterTargets::Module;

  LoraModuleFile(const TensorSource& file, const std::string& name,
                 const LoraParts& parts, const Module& module)
      : file_(file), name_(name), parts_(parts), module_(module) {}

  bool Has(const char* part) const { return parts_.count(part) > 0; }

  const std::string& path() const { return file_.path(); }

  // "down_blocks_0_attentions_0_proj_in", with what stands before it.
  const std::string& ModuleName() const { return name_; }

  const std::vector<int64_t>& ShapeOf(const char* part) const {
    return file_.entries().at(parts_.at(part)).shape;
  }

  // OK if the tensors make one adapter of the layer: LoRA, LoHa, LoKr or whole
  // weights. INVALID_ARGUMENT names the tensor that does not fit, and NotRead()
  // is for what is of another kind.
  absl::Status Check() const;
  absl::Status NotRead(const std::string& what) const;  // UNIMPLEMENTED

  // In float32; every value must be finite.
  absl::StatusOr<at::Tensor> Read(const char* part) const;

  // `first`, then the sizes of the layer's inputs.
  std::vector<int64_t> With(int64_t first) const;

 private:
  // Of a rank, which is the first size of `part`.
  absl::Status CheckRank(const char* part) const;

  // Of as many values as `sizes` have, some of which may be 1 more or less:
  // a matrix may be written as a 1x1 convolution.
  absl::Status CheckShape(const char* part,
                          const std::vector<int64_t>& sizes) const;

  absl::Status Wrong(const char* part, const std::string& what) const;

  absl::Status CheckLowRank() const;
  absl::Status CheckLoHa() const;
  // The sizes of the two factors multiply to the layer's.
  absl::Status CheckLoKr() const;

  const TensorSource& file_;
  const std::string& name_;
  const LoraParts& parts_;
  const Module& module_;
};

// What of a file is for this model: module by module, until one has a fault.
// INVALID_ARGUMENT too if there is nothing. `on_unread` hears of tensors that
// nobody reads, if there are any.
absl::Status ForLoraModules(
    const TensorSource& file, const AdapterTargets& targets,
    const std::function<absl::Status(const AdapterTargets::Module&,
                                     const LoraModuleFile&)>& visit,
    const std::function<void(const std::vector<std::string>& tensors)>&
        on_unread = nullptr);

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_LORA_MODULE_FILE_H_
