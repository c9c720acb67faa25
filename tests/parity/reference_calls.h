#ifndef GENZO_TESTS_PARITY_REFERENCE_CALLS_H_
#define GENZO_TESTS_PARITY_REFERENCE_CALLS_H_

#include <optional>
#include <string>
#include <vector>

#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"
#include "worker/denoiser/denoiser.h"

namespace genzo::parity {

// What a pipeline of the reference takes where its call does not say; where
// the service's own default is another, the request is told this one.
struct ReferencePipeline {
  const char* name;
  double guidance_scale;
  int steps;
  double strength = 1;        // without effect on those from text
  double control_weight = 1;  // controlnet_conditioning_scale
};

// Null for a pipeline that no case can be of.
const ReferencePipeline* FindReferencePipeline(const std::string& name);

// A case's call and what a request says in its place. Arguments that are null
// are not given. `manifest` outlives it.
class ReferenceCall {
 public:
  explicit ReferenceCall(const nlohmann::json& manifest);

  // The first thing that no request can say, "argument NAME"; empty: none.
  // Only of a pipeline that is known.
  std::string Unsupported() const;

  const nlohmann::json& arguments() const { return call_; }
  bool Has(const std::string& name) const { return call_.contains(name); }
  bool Is(const char* part) const;  // of the pipeline's name
  // An argument, or `otherwise`.
  double Number(const std::string& name, double otherwise) const {
    return call_.value(name, otherwise);
  }
  double guidance_scale() const;
  // From the arguments, where these are levels from how many they are.
  int steps() const;
  double strength() const;
  // What all adapters' weights are multiplied by.
  double lora_scale() const;
  // Pixels around the masked part that is cut out; nullopt: all is painted.
  std::optional<int> padding() const;
  // `name`, a string for all or a list, for each of `count` prompts.
  std::vector<std::string> Texts(const std::string& name, size_t count) const;
  size_t prompts() const;

  // What needs no more than the manifest: sizes, steps and levels, guidance;
  // strength where the case `has_picture` to start from. Prompts are left.
  void Fill(bool has_picture, v1::GenerateRequest& request) const;
  // SDXL's sizes, as the pipeline passes them on to the negative row.
  void FillSizes(bool is_refiner, v1::GenerateRequest& request) const;
  // Perturbed attention: pipelines name layers by parts of their names.
  void FillPerturbed(const Denoiser& denoiser,
                     v1::GenerateRequest& request) const;

 private:
  void FillLevels(bool has_picture, v1::GenerateRequest& request) const;
  std::vector<std::string> PerturbedParts() const;

  const nlohmann::json& manifest_;
  const std::string name_;
  const ReferencePipeline* const pipeline_;
  nlohmann::json call_;
};

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_REFERENCE_CALLS_H_
