#ifndef GENZO_WORKER_PIPELINE_CONTROL_PARTS_H_
#define GENZO_WORKER_PIPELINE_CONTROL_PARTS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/prompt_editing.h"
#include "worker/codec/latent_codec.h"
#include "worker/pipeline/pipeline_traits.h"
#include "worker/pipeline/stage.h"

// What pipelines that control networks can steer have in common.

namespace genzo {

struct Encoded;

// A network and what it is to follow.
struct ControlHint {
  std::shared_ptr<const ControlNetwork> network;
  // [1, 3, H, W] float32 on the CPU at the picture's size, from 0 to 1; -1
  // where a network for inpainting is to paint.
  at::Tensor picture;
  double weight = 1;
  double begin = 0;  // as StageControl's
  double end = 1;
  // The prompt's row alone is steered, and less so in early layers.
  bool guess = false;
};

// A control as far as a job's images share it.
struct EncodedControl {
  StageControl control;
  // What is left to do for each image where the network reads latents, which
  // are drawn with the image's noise.
  LatentDistribution hint = {};
  Conditioning unprepared = {};
};

// Lets requests name controls of networks that fit; `guesses`: and have them
// guess.
void TakeControls(std::string fit, bool guesses, PipelineTraits& traits);

// Which rows of the conditioning a network sees, and which it steers.
enum class ControlRows {
  kEach,        // all; the last one alone where it is to guess
  kLastForAll,  // the last, for all
};

// `conditioning` is that of all rows. `codec` encodes for networks that read
// latents; null where there are none such. INVALID_ARGUMENT names the control
// that a network does not take.
absl::StatusOr<std::vector<EncodedControl>> PrepareControls(
    absl::Span<const ControlHint> hints, const Conditioning& conditioning,
    ControlRows rows = ControlRows::kEach, const LatentCodec* codec = nullptr);

// The same where texts change with the steps, of networks that read no latents:
// as PrepareAdapted() has it.
absl::StatusOr<std::vector<EncodedControl>> PrepareControls(
    absl::Span<const ControlHint> hints, const std::vector<Conditioning>& texts,
    const std::vector<TextPlan::From>& from);

// Those of an image, where no network reads latents.
std::vector<StageControl> ControlsOf(const Encoded& encoded);

// Those of an image whose networks may read latents: draws them.
absl::StatusOr<std::vector<StageControl>> DrawControls(const Encoded& encoded,
                                                       const LatentCodec& codec,
                                                       NoiseSource& noise);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_CONTROL_PARTS_H_
