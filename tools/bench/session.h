#ifndef GENZO_TOOLS_BENCH_SESSION_H_
#define GENZO_TOOLS_BENCH_SESSION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "client/metrics_text.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "tools/bench/load.h"
#include "tools/bench/options.h"
#include "tools/bench/progress_line.h"
#include "tools/bench/report.h"
#include "tools/bench/request_mix.h"
#include "tools/bench/summary.h"

namespace genzo {

// What scenarios share: the server, the mix, what each of its kinds takes
// alone. For one thread.
class Session {
 public:
  // Asks the server for the model and measures the solo times. `read_metrics`
  // may be null; `progress` and `clock` outlive the session. Fails with the
  // server's status and a sentence for people.
  static absl::StatusOr<std::unique_ptr<Session>> Create(
      const BenchOptions& options, MetricsReader read_metrics,
      ProgressLine& progress, const Clock& clock);

  const BenchOptions& options() const { return options_; }
  const v1::Model& model() const { return model_; }
  const RequestMix& mix() const { return mix_; }
  const SoloTimes& solo() const { return solo_; }
  // Pictures per second of the mix, one at a time.
  double serial_capacity() const;
  v1::ImageGeneration::Stub& stub() { return *stub_; }
  const MetricsReader& read_metrics() const { return read_metrics_; }
  const Clock& clock() const { return clock_; }
  // Once it is, nothing more can be measured.
  bool server_gone() const { return server_gone_; }

  // A plain call for the mix's `index`-th request.
  CallPlan PlanOf(int index) const;
  // Plain calls at `arrivals`, the first for the mix's first request.
  std::vector<TimedCall> PlansAt(
      const std::vector<absl::Duration>& arrivals) const;

  // Run a load; `label` is shown while it runs.
  LoadResult RunOpen(const std::string& label, std::vector<TimedCall> calls);
  LoadResult RunClosed(const std::string& label, ClosedLoop loop);
  // Of PlanOf, as long as the options say.
  LoadResult RunClosed(const std::string& label, int clients);

  Point MakePoint(const std::string& label, std::optional<double> x,
                  const LoadResult& result) const;

 private:
  Session(const BenchOptions& options, MetricsReader read_metrics,
          std::unique_ptr<v1::ImageGeneration::Stub> stub, v1::Model model,
          RequestMix mix, ProgressLine& progress, const Clock& clock);

  absl::Status MeasureSolo();

  const BenchOptions options_;
  const MetricsReader read_metrics_;
  const std::unique_ptr<v1::ImageGeneration::Stub> stub_;
  const v1::Model model_;
  const RequestMix mix_;
  ProgressLine& progress_;
  const Clock& clock_;
  SoloTimes solo_;
  bool server_gone_ = false;
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_SESSION_H_
