#ifndef GENZO_TOOLS_BENCH_SLOT_RELEASE_H_
#define GENZO_TOOLS_BENCH_SLOT_RELEASE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "client/metrics_text.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "tools/bench/generate_call.h"

namespace genzo {

// Starts `plans`, waits until all are being painted, and cancels them one by
// one. Returns, for each, the seconds until the server's genzo_jobs_running
// fell: an upper bound, by one reading of the page. Nothing else may run on the
// server. Plans must be long. Fails if a call ends by itself, if a wait exceeds
// `timeout`, or if the page cannot be read; no call is left behind.
absl::StatusOr<std::vector<double>> MeasureSlotReleases(
    v1::ImageGeneration::Stub& stub, const std::vector<CallPlan>& plans,
    const MetricsReader& read_metrics, absl::Duration timeout,
    const Clock& clock);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_SLOT_RELEASE_H_
