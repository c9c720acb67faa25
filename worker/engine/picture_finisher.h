#ifndef GENZO_WORKER_ENGINE_PICTURE_FINISHER_H_
#define GENZO_WORKER_ENGINE_PICTURE_FINISHER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/pictures/picture_text.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/media/pixels.h"
#include "worker/vision/picture_judges.h"

namespace genzo {

// What becomes of a decoded picture before it is written: it is scored where
// the best are wanted, checked where a policy says so, marked as machine-made.
// What the request, as resolved, says is done; what it may say was decided
// where it was accepted. Thread-safe.
class PictureFinisher {
 public:
  // `judges` outlives the finisher.
  explicit PictureFinisher(PictureJudges& judges) : judges_(judges) {}

  struct Finished {
    Pixels pixels;
    PictureText text;
    std::optional<double> score = {};  // with best_of
    std::string safety = {};           // "nsfw", or empty
    bool withheld = false;             // not to be sent
  };
  // `painted` says how much of each pixel is, 0 to 255: a watermark is not put
  // into what was not; empty: all was. Errors are those of the judges: a
  // picture that could not be judged is not to be sent.
  absl::StatusOr<Finished> Finish(const v1::GenerateRequest& request,
                                  uint64_t seed, Pixels pixels,
                                  uint64_t image_index = 0,
                                  absl::Span<const uint8_t> painted = {}) const;

  struct Look {
    Pixels pixels;
    PictureText text;
  };
  // A look at an unfinished picture, as it may be shown: with the marks of the
  // finished one, but for the request. Nothing if it may not, or could not be
  // checked.
  std::optional<Look> Preview(const v1::GenerateRequest& request,
                              Pixels pixels) const;

 private:
  // What the safety policy lets see of it.
  std::optional<Pixels> Shown(const v1::GenerateRequest& request,
                              Pixels pixels) const;

  PictureJudges& judges_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_PICTURE_FINISHER_H_
