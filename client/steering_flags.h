#ifndef GENZO_CLIENT_STEERING_FLAGS_H_
#define GENZO_CLIENT_STEERING_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Options of `genzo generate` for how prompts are read, guidance, and the noise
// that a picture begins at.
class SteeringFlags {
 public:
  // Adds the options to `command`, which this object outlives.
  void Add(CLI::App& command);
  // Sets what was given.
  void Set(v1::GenerateRequest& request) const;

 private:
  void SetGuidance(v1::GenerateRequest& request) const;
  void SetVariation(v1::GenerateRequest& request) const;
  void SetInversion(v1::GenerateRequest& request) const;

  bool weighted_ = false;
  std::optional<double> guidance_start_;
  std::optional<double> guidance_end_;
  std::optional<double> perturbed_attention_;
  std::optional<double> skip_layer_;
  std::vector<uint32_t> skip_layers_;
  std::vector<std::string> perturbed_layers_;
  std::optional<uint32_t> text_gate_;
  std::optional<uint64_t> variation_seed_;
  std::optional<double> variation_strength_;
  std::vector<uint32_t> resize_from_;
  bool keep_latents_ = false;
  std::string start_latents_;
  std::optional<double> latents_strength_;
  bool invert_ = false;
  std::optional<std::string> invert_prompt_;
  std::optional<double> invert_guidance_;
  std::optional<uint32_t> invert_steps_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_STEERING_FLAGS_H_
