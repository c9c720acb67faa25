#ifndef GENZO_CLIENT_HIRES_OPTIONS_H_
#define GENZO_CLIENT_HIRES_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// The options of `genzo generate` that make pictures larger: a second pass, and
// an upscaler at the end.
class HiresOptions {
 public:
  // This object outlives `command`'s parsing.
  void AddTo(CLI::App& command);

  // Sets what was asked for.
  void Apply(v1::GenerateRequest& request) const;

 private:
  std::optional<double> factor_;
  std::vector<uint32_t> size_;
  std::string upscaler_;  // a way of enlarging latents, or an upscaler
  std::optional<uint32_t> steps_;
  std::optional<double> strength_;
  std::string sampler_;
  std::string output_upscaler_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_HIRES_OPTIONS_H_
