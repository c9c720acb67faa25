#include "worker/nn/activation.h"

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/mish.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/sigmoid.h"
#include "ATen/ops/silu.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace genzo {
namespace {

struct Named {
  const char* name;
  Activation activation;
};

// The first ones are those of diffusers.
constexpr Named kNames[] = {{"silu", Activation::kSilu},
                            {"swish", Activation::kSilu},
                            {"gelu", Activation::kGelu},
                            {"mish", Activation::kMish},
                            {"relu", Activation::kRelu},
                            {"quick_gelu", Activation::kQuickGelu},
                            {"gelu_new", Activation::kGeluTanh},
                            {"gelu_fast", Activation::kGeluTanh},
                            {"gelu_pytorch_tanh", Activation::kGeluTanh}};
constexpr size_t kDiffusersNames = 5;

Activation Find(JsonConfig& json, const std::string& key,
                const std::string& name, absl::Span<const Named> names) {
  std::vector<std::string> known;
  for (const Named& one : names) {
    if (name == one.name) return one.activation;
    known.emplace_back(one.name);
  }
  json.Fail(absl::StatusCode::kUnimplemented, key,
            absl::StrCat("is not one of ", absl::StrJoin(known, ", ")));
  return Activation::kSilu;
}

}  // namespace

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kQuickGelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kMish:
      return at::mish(x);
  }
  return x;
}

Activation ReadDiffusersActivation(JsonConfig& json, const std::string& key,
                                   const std::string& default_name) {
  return Find(json, key, json.String(key, default_name),
              absl::MakeConstSpan(kNames).first(kDiffusersNames));
}

Activation ReadTransformersActivation(JsonConfig& json, const std::string& key,
                                      const std::string& default_name) {
  return TransformersActivation(json, key, json.String(key, default_name));
}

Activation TransformersActivation(JsonConfig& json, const std::string& key,
                                  const std::string& name) {
  return Find(json, key, name, kNames);
}

}  // namespace genzo
