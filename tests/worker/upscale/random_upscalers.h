#ifndef GENZO_TESTS_WORKER_UPSCALE_RANDOM_UPSCALERS_H_
#define GENZO_TESTS_WORKER_UPSCALE_RANDOM_UPSCALERS_H_

#include <cmath>
#include <functional>
#include <string>

#include "ATen/Context.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/random_tensors.h"

namespace genzo {

// Small upscalers that nobody trained, of the same numbers every time.

struct RandomRrdb {
  int64_t unshuffle = 1;
  // What a tensor is called instead.
  std::function<std::string(const std::string&)> rename =
      [](const std::string& name) { return name; };
};

inline void AddConv(const std::string& name, int64_t in, int64_t out,
                    const RandomRrdb& options, RandomTensors& tensors) {
  // Values keep their size from layer to layer.
  tensors.Add(options.rename(name + ".weight"), {out, in, 3, 3},
              1 / std::sqrt(9.0 * static_cast<double>(in)));
  tensors.Add(options.rename(name + ".bias"), {out});
}

// An RRDBNet of 8 features and 2 blocks that doubles twice.
inline RandomTensors RandomRrdbNet(const RandomRrdb& options) {
  at::manual_seed(1);
  RandomTensors tensors;
  AddConv("conv_first", 3 * options.unshuffle * options.unshuffle, 8, options,
          tensors);
  for (int block = 0; block < 2; ++block) {
    for (int dense = 1; dense <= 3; ++dense) {
      for (int conv = 1; conv <= 5; ++conv) {
        AddConv(absl::StrCat("body.", block, ".rdb", dense, ".conv", conv),
                8 + 4 * (conv - 1), conv == 5 ? 8 : 4, options, tensors);
      }
    }
  }
  for (const char* name : {"conv_body", "conv_up1", "conv_up2", "conv_hr"}) {
    AddConv(name, 8, 8, options, tensors);
  }
  AddConv("conv_last", 8, 3, options, tensors);
  return tensors;
}

struct RandomCompact {
  int64_t convolutions = 3;
  int64_t scale = 2;
};

// An SRVGGNetCompact of 8 features.
inline RandomTensors RandomCompactNet(const RandomCompact& options) {
  at::manual_seed(2);
  RandomTensors tensors;
  for (int64_t i = 0; i <= options.convolutions + 1; ++i) {
    const bool last = i == options.convolutions + 1;
    AddConv(absl::StrCat("body.", 2 * i), i == 0 ? 3 : 8,
            last ? 3 * options.scale * options.scale : 8, {}, tensors);
    if (!last) tensors.Add(absl::StrCat("body.", 2 * i + 1, ".weight"), {8});
  }
  return tensors;
}

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_UPSCALE_RANDOM_UPSCALERS_H_
