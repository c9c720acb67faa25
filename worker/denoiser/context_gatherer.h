#ifndef GENZO_WORKER_DENOISER_CONTEXT_GATHERER_H_
#define GENZO_WORKER_DENOISER_CONTEXT_GATHERER_H_

#include <deque>
#include <memory>
#include <vector>

#include "worker/nn/attention.h"

namespace genzo {

// What the denoiser needs of the texts of one job: keys and values
// [rows, 77, C] of every cross-attention layer. Computed once a job.
using TextContext = std::vector<KeyValues>;

// Joins the contexts of the runs in an evaluation. The last few joined ones are
// kept, because a batch mostly stays together from step to step. Used by one
// step thread.
class ContextGatherer {
 public:
  using Contexts = std::vector<std::shared_ptr<const TextContext>>;

  // All rows of `contexts` in order, and the last one again until there are
  // `least_rows`. At least one context, all of one model.
  std::shared_ptr<const TextContext> Gather(const Contexts& contexts,
                                            int least_rows = 0);

  // Lets go of all that is kept.
  void Clear() { kept_.clear(); }

 private:
  struct Kept {
    Contexts parts;
    int least_rows;
    std::shared_ptr<const TextContext> joined;
  };
  std::deque<Kept> kept_;  // the newest first
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_CONTEXT_GATHERER_H_
