#ifndef GENZO_CLIENT_PICTURE_OPTIONS_H_
#define GENZO_CLIENT_PICTURE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Options of `genzo generate` about what becomes of finished pictures: the best
// of several, safety, marks, the decoder, the same bits again.
class PictureOptions {
 public:
  // Outlives `command`'s parsing.
  void AddTo(CLI::App& command);
  void Set(v1::GenerateRequest& request) const;

  // Images drawn; 0: as many as are asked for.
  uint32_t drawn() const { return best_of_.value_or(0); }

 private:
  std::optional<uint32_t> best_of_;
  std::string scorer_;
  std::string safety_;
  std::optional<uint32_t> quality_;
  bool watermark_ = false;
  bool no_watermark_ = false;
  bool no_provenance_ = false;
  bool tiny_decoder_ = false;
  bool reproducible_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_OPTIONS_H_
