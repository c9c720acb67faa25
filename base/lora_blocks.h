#ifndef GENZO_BASE_LORA_BLOCKS_H_
#define GENZO_BASE_LORA_BLOCKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What an adapter's file changes in a model.
struct LoraLayers {
  std::vector<std::string> denoiser;  // by the names of its layers, in order
  bool text_encoders = false;         // it has some of theirs, too

  bool operator==(const LoraLayers&) const = default;
};

// Whether block_weights of a resolved `lora` are about layers that its file
// changes, and leave something of it. INVALID_ARGUMENT tells why not, to be
// read behind the field's name; an adapter of weight 0 without any is what was
// asked for. Pure.
//
//   layers mid_block.a, mid_block.b; weight 1, mid_block=0: nothing is left
//   weight 1, mid_block.a=0: mid_block.b is
//   weight 1, up_blocks=0.5: it changes no such layer
absl::Status CheckBlockWeights(const v1::LoraUse& lora,
                               const LoraLayers& layers);

}  // namespace genzo

#endif  // GENZO_BASE_LORA_BLOCKS_H_
