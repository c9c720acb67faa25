#ifndef GENZO_QUEUE_PREDICTION_H_
#define GENZO_QUEUE_PREDICTION_H_

#include <vector>

#include "absl/time/time.h"
#include "queue/backlog.h"
#include "queue/model_speeds.h"

namespace genzo {

// Time from now until each job of `backlog` has its last picture, in their
// order there, if nothing is late: jobs are dealt to the device that is done
// with them first and served as queue and batcher have it, once their model is
// in memory. Models that are not are loaded one after the other, each once:
// that one may have to leave for another is left out. Infinite for those
// that are merely expected and later than all others; of no use for models that
// `speeds` does not know. Changes nothing and looks at no clock.
std::vector<absl::Duration> Predict(const BacklogSnapshot& backlog,
                                    const ModelSpeeds& speeds);

// The same for a job that came at `now`, behind what devices evaluate then.
absl::Duration PredictNewcomer(BacklogSnapshot backlog, BacklogJob newcomer,
                               const ModelSpeeds& speeds, absl::Time now);

// The job as it waits: nothing done, latest start and evaluations by `speeds`.
BacklogJob WaitingJob(const std::string& id, const JobDemand& demand,
                      const ModelSpeeds& speeds);

}  // namespace genzo

#endif  // GENZO_QUEUE_PREDICTION_H_
