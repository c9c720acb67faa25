#ifndef GENZO_TESTS_WORKER_DENOISER_TRANSFORMER_TEST_H_
#define GENZO_TESTS_WORKER_DENOISER_TRANSFORMER_TEST_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/randn.h"
#include "absl/strings/match.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_lora.h"
#include "worker/denoiser/denoiser.h"
#include "worker/weights/tensor_source.h"
#include "worker/weights/weights.h"

// What every diffusion transformer must do.

namespace genzo {

// One row of `conditioning`.
inline Conditioning RowOf(const Conditioning& conditioning, int64_t row) {
  const auto of = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, row, 1) : tensor;
  };
  return {.tokens = of(conditioning.tokens),
          .pooled = of(conditioning.pooled),
          .numbers = of(conditioning.numbers)};
}

// A delta for every layer of `source` that is named like one with weights.
inline std::shared_ptr<const AdapterSet> AdaptersOf(const TensorSource& source,
                                                    double scale) {
  auto set = std::make_shared<AdapterSet>();
  for (const auto& [name, entry] : source.entries()) {
    if (!absl::EndsWith(name, ".weight") || entry.shape.size() != 2) continue;
    set->layers[name.substr(0, name.size() - 7)] = {
        {.down = at::randn({2, entry.shape[1]}),
         .up = at::randn({entry.shape[0], 2}),
         .scale = scale}};
  }
  return set;
}

// Rows of different requests, alone and together, with and without adapters:
// the bits of each are its own.
inline void ExpectRowsOnTheirOwn(const Denoiser& denoiser,
                                 const TensorSource& source,
                                 const at::Tensor& sample,
                                 const Conditioning& conditioning) {
  const int64_t rows = sample.size(0);
  std::vector<float> times;
  PreparedJoiner::Parts parts;
  std::vector<at::Tensor> alone;
  for (int64_t row = 0; row < rows; ++row) {
    Conditioning one = RowOf(conditioning, row);
    if (row % 2 == 1) {
      one.adapters = AdaptersOf(source, 0.1 * static_cast<double>(row));
    }
    const auto prepared = denoiser.Prepare(one);
    ASSERT_THAT(prepared, IsOk());
    times.push_back(100.0f * static_cast<float>(row + 1));
    alone.push_back(Predict(denoiser, sample.narrow(0, row, 1), {times.back()},
                            **prepared));
    parts.push_back(*prepared);
  }
  PreparedJoiner joiner;
  const at::Tensor together =
      Predict(denoiser, sample, times, *joiner.Join(parts));
  for (int64_t row = 0; row < rows; ++row) {
    EXPECT_THAT(together.narrow(0, row, 1), TensorEquals(alone[row])) << row;
  }
  const auto plain = denoiser.Prepare(RowOf(conditioning, 1));
  EXPECT_FALSE(at::equal(
      alone[1], Predict(denoiser, sample.narrow(0, 1, 1), {times[1]}, **plain)))
      << "adapters change nothing";
}

// Deltas of every layer, the timestep's included, are what the same added to
// the weights would be. `make` builds the network.
inline void ExpectDeltasAreMerged(
    const std::function<std::unique_ptr<Denoiser>(const Weights&)>& make,
    const std::shared_ptr<const TensorSource>& source, const at::Tensor& sample,
    Conditioning conditioning) {
  const auto adapters = AdaptersOf(*source, /*scale=*/0.05);
  auto merged = std::make_shared<FixedTensors>();
  for (const auto& [name, entry] : source->entries()) {
    at::Tensor tensor = source->Read(name, {.dtype = at::kFloat})->clone();
    for (const auto& [layer, deltas] : adapters->layers) {
      if (name != layer + ".weight") continue;
      tensor += deltas[0].scale * at::matmul(deltas[0].up, deltas[0].down);
    }
    merged->Add(name, tensor);
  }
  const auto run = [&](const std::shared_ptr<const TensorSource>& tensors) {
    const Weights weights(tensors, at::kFloat, at::kCPU);
    const auto denoiser = make(weights);
    EXPECT_THAT(weights.Finish(), IsOk());
    return Predict(*denoiser, sample, std::vector<float>(sample.size(0), 300),
                   **denoiser->Prepare(conditioning));
  };
  const at::Tensor expected = run(merged);
  conditioning.adapters = adapters;
  EXPECT_THAT(run(source), TensorNear(expected, 1e-4));
}

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_DENOISER_TRANSFORMER_TEST_H_
