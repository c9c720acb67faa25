#ifndef GENZO_WORKER_DENOISER_PREPARED_H_
#define GENZO_WORKER_DENOISER_PREPARED_H_

#include <deque>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/denoiser/control_residuals.h"
#include "worker/denoiser/picture_prompt.h"
#include "worker/denoiser/row_edits.h"
#include "worker/nn/adapters.h"

namespace genzo {

// All that a denoiser's evaluations need and that depends on the conditioning
// alone, such as the keys and values of every cross-attention layer: computed
// once a job. A flat list of tensors [R, ...], so that rows of several runs can
// be joined, and evaluations recorded, whatever the family. Immutable.
struct Prepared {
  int64_t rows = 1;  // an unconditional network has no tensors to tell by
  std::vector<at::Tensor> tensors = {};
  EvalContext adapters = {};  // of the rows
  std::vector<PicturePrompt> pictures = {};
  RowEdits edits = {};
  // What control networks add in one evaluation; none in what was prepared for
  // all of them.
  std::vector<ControlSegment> controls = {};

  // Whether rows differ in more than numbers and adapters, so that no recorded
  // evaluation fits them.
  bool steered() const {
    return !edits.empty() || !pictures.empty() || !controls.empty();
  }

  // What stands in its place once so many steps of the walk are done, of the
  // same sizes, as where an adapter is for some of the steps; in their order.
  struct Later {
    int first_step = 0;
    std::shared_ptr<const Prepared> prepared;
  };
  std::vector<Later> later = {};
};
using PreparedRef = std::shared_ptr<const Prepared>;

// The rows of `prepared` that are named, in that order, any of them as often as
// it is named; adapters, pictures and edits go with them.
Prepared RowsOfPrepared(const Prepared& prepared,
                        const std::vector<int64_t>& rows);

// `prepared`, and what stands in its place later, with further edits.
Prepared WithEdits(const Prepared& prepared, const RowEdits& edits);

// What stands in each other's place, in the order of their steps; at least one,
// the first from step 0 on.
PreparedRef InTurn(const std::vector<Prepared::Later>& parts);

// `prepared` for a walk that begins once `steps` of its steps are done.
PreparedRef PreparedFrom(const PreparedRef& prepared, int steps);

// What is to be used of `prepared` once `steps_done` steps are done.
PreparedRef PreparedAt(const PreparedRef& prepared, int steps_done);

// Joins what the runs of an evaluation prepared. The last few joined ones are
// kept, because a batch mostly stays together from step to step. Used by one
// step thread.
class PreparedJoiner {
 public:
  using Parts = std::vector<PreparedRef>;

  // All rows of `parts` in order, and the last one again until there are
  // `padded_rows`. At least one part, all of one BatchKey.
  PreparedRef Join(const Parts& parts, int padded_rows = 0);

  // Lets go of all that is kept.
  void Clear() { kept_.clear(); }

 private:
  struct Kept {
    Parts parts;
    int padded_rows;
    PreparedRef joined;
  };
  std::deque<Kept> kept_;  // the newest first
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_PREPARED_H_
