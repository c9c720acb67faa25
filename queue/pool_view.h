#ifndef GENZO_QUEUE_POOL_VIEW_H_
#define GENZO_QUEUE_POOL_VIEW_H_

#include <optional>

#include "absl/time/time.h"
#include "base/clock.h"
#include "genzo/internal/v1/pool_view.pb.h"
#include "queue/pool_load.h"

namespace genzo {

// The pool as front ends see it: speeds and work of `load` now. Speeds at other
// sizes than a model's own are left out: the reader takes them from the curve.
// Thread-safe.
internal::v1::PoolView MakePoolView(const PoolLoad& load, const Clock& clock);

// What PoolLoad::PredictNew() would say where `view` was made: time until
// `demand`, accepted now by `clock`, would be finished; nullopt if no device
// has measured its model. Work done since the view was made is not known, so
// the answer errs on the late side by its age at most. Pure.
std::optional<absl::Duration> PredictFrom(const internal::v1::PoolView& view,
                                          const JobDemand& demand,
                                          const Clock& clock);

}  // namespace genzo

#endif  // GENZO_QUEUE_POOL_VIEW_H_
