#ifndef GENZO_WORKER_DENOISER_PICTURE_PROMPT_H_
#define GENZO_WORKER_DENOISER_PICTURE_PROMPT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/nn/attention.h"

namespace genzo {

// What an adapter and a U-Net must share, in words: the text's width and those
// of the cross-attention layers. Equal ones fit.
inline std::string PictureFit(int64_t text_width,
                              const std::vector<int64_t>& widths) {
  return absl::StrCat("U-Net with text of ", text_width, " and layers of ",
                      absl::StrJoin(widths, ","));
}

// A picture that some rows of an evaluation are to look like: what they attend
// to in every cross-attention layer beside their text.
struct PicturePrompt {
  int64_t first_row = 0;
  int64_t rows = 1;
  // Keys and values [rows, tokens, width] of each layer, in the network's
  // order.
  std::shared_ptr<const std::vector<KeyValues>> layers;
  double scale = 1;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_PICTURE_PROMPT_H_
