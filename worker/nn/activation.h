#ifndef GENZO_WORKER_NN_ACTIVATION_H_
#define GENZO_WORKER_NN_ACTIVATION_H_

#include <string>

#include "ATen/core/Tensor.h"
#include "worker/weights/json_config.h"

namespace genzo {

// What stands between two layers, element by element.
enum class Activation {
  kSilu,       // x sigmoid(x)
  kGelu,       // arXiv:1606.08415, with erf
  kGeluTanh,   // the same by tanh
  kQuickGelu,  // x sigmoid(1.702 x), of the first CLIP
  kRelu,
  kMish,  // arXiv:1908.08681
};

at::Tensor Activate(const at::Tensor& x, Activation activation);

// The activation that `key` names in a diffusers config.json ("silu", "swish",
// "gelu", "mish", "relu") or in one of transformers, which also knows
// "quick_gelu", "gelu_new" and the like. UNIMPLEMENTED names file, key, and
// those that are known.
Activation ReadDiffusersActivation(JsonConfig& json, const std::string& key,
                                   const std::string& default_name);
Activation ReadTransformersActivation(JsonConfig& json, const std::string& key,
                                      const std::string& default_name);

// One by its name in transformers that is a part of what `key` says.
Activation TransformersActivation(JsonConfig& json, const std::string& key,
                                  const std::string& name);

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ACTIVATION_H_
