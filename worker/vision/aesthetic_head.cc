#include "worker/vision/aesthetic_head.h"

#include <map>
#include <utility>

#include "ATen/ops/cat.h"
#include "ATen/ops/linalg_vector_norm.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

// [out, in] of each layer by its number; between them the file has numbers of
// the dropouts that it was trained with.
std::map<int64_t, std::vector<int64_t>> Shapes(const TensorSource& tensors) {
  std::map<int64_t, std::vector<int64_t>> shapes;
  for (const auto& [name, entry] : tensors.entries()) {
    absl::string_view number = name;
    int64_t layer = 0;
    if (absl::ConsumePrefix(&number, "layers.") &&
        absl::ConsumeSuffix(&number, ".weight") &&
        absl::SimpleAtoi(number, &layer) && entry.shape.size() == 2) {
      shapes[layer] = entry.shape;
    }
  }
  return shapes;
}

}  // namespace

absl::StatusOr<AestheticHead> AestheticHead::Open(const ComponentFiles& files,
                                                  int64_t embedding_size) {
  auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  const auto shapes = Shapes(**tensors);
  const std::string path = (*tensors)->path();
  if (shapes.empty()) {
    return absl::NotFoundError(
        absl::StrCat(path, ": tensor \"layers.0.weight\" is missing"));
  }
  const Weights weights(*std::move(tensors), at::kFloat, at::kCPU);
  std::vector<Linear> layers;
  int64_t width = embedding_size;
  for (const auto& [number, shape] : shapes) {
    layers.emplace_back(weights.At("layers", number), width, shape[0]);
    width = shape[0];
  }
  const absl::Status finished = weights.Finish();
  if (!finished.ok()) return finished;
  if (width != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the last layer gives ", width, " numbers, not one"));
  }
  return AestheticHead(std::move(layers));
}

at::Tensor AestheticHead::forward(const at::Tensor& embeddings) const {
  std::vector<at::Tensor> scores;
  for (int64_t i = 0; i < embeddings.size(0); ++i) {
    at::Tensor x = embeddings.narrow(0, i, 1).to(at::kCPU, at::kFloat);
    x = x / at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true);
    for (const Linear& layer : layers_) x = layer.forward(x);
    scores.push_back(x.view({1}));
  }
  return at::cat(scores);
}

}  // namespace genzo
