#ifndef GENZO_TESTS_WORKER_SAMPLER_WALKS_H_
#define GENZO_TESTS_WORKER_SAMPLER_WALKS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "nlohmann/json.hpp"
#include "worker/sampler/create_sampler.h"

// Walks for tests of samplers, without a model.

namespace genzo {

// The scheduler_config.json of Stable Diffusion 1.
nlohmann::json StableDiffusion();

// A file that a class reads: Stable Diffusion's, or one for flow matching with
// a shift of 3.
nlohmann::json FileFor(const std::string& scheduler_class);

// A way to make the same run again, by its name in test output.
struct Walk {
  std::string name;
  std::function<std::unique_ptr<SamplerRun>()> create;
};

// Every sampler of the table from noise and from a picture, and what options
// and model files change: Runge-Kutta steps, eta, higher orders, inversion.
std::vector<Walk> Walks(int steps);

// A start of seed `seed`, [1, 4, 8, 8], from noise.
SamplerStart FromNoise(uint64_t seed);

// What an imaginary network answers: depends on all of the query.
at::Tensor Answer(const Query& query);

// Walks on until `evaluations` are done, or to the end.
void WalkUntil(SamplerRun& run, int evaluations);
void Finish(SamplerRun& run);

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_SAMPLER_WALKS_H_
