#ifndef GENZO_CLIENT_INPAINTING_OPTIONS_H_
#define GENZO_CLIENT_INPAINTING_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Options of `genzo generate` that paint a part of --image, or around it.
class InpaintingOptions {
 public:
  // All of them need `image`.
  void AddTo(CLI::App& command, CLI::Option* image);
  // Puts what was chosen into `request`. NOT_FOUND for a mask that cannot be
  // read.
  absl::Status Set(v1::GenerateRequest& request) const;

 private:
  std::string mask_path_;
  std::optional<uint32_t> blur_;
  std::string fill_;
  bool only_masked_ = false;
  std::optional<uint32_t> padding_;
  bool invert_ = false;
  bool is_transparency_ = false;
  std::vector<uint32_t> borders_;  // left, top, right, bottom
};

}  // namespace genzo

#endif  // GENZO_CLIENT_INPAINTING_OPTIONS_H_
