#ifndef GENZO_SERVER_OTLP_EXPORTER_H_
#define GENZO_SERVER_OTLP_EXPORTER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/tracing.h"
#include "base/work_thread.h"
#include "server/transfer_end.h"

namespace genzo {

// `spans` as OTLP's ExportTraceServiceRequest in its JSON encoding (ids in
// hex, times as strings of nanoseconds), of the service "genzo". Pure.
std::string OtlpJson(absl::Span<const Span> spans,
                     const std::string& service_version);

// Sends spans to a collector by OTLP/HTTP, a batch every second, on a thread of
// its own. What the collector does not take is tried once more and then lost,
// and so is what would be the kMostWaiting-th to wait; genzo_spans_total counts
// it. What waits when the exporter ends is sent, for kLastPosts.
// Thread-safe.
class OtlpExporter : public Tracer {
 public:
  static constexpr size_t kMostWaiting = 16'384;
  static constexpr size_t kMostTogether = 2'048;

  static constexpr absl::Duration kLastPosts = absl::Seconds(1);

  // Posts a body, until `end`; the answer's code.
  using Post = std::function<absl::StatusOr<int>(const std::string& body,
                                                 const TransferEnd& end)>;

  // `metrics` outlives the exporter. `post` is PostTo() but in tests.
  OtlpExporter(const TracingConfig& config, const std::string& service_version,
               Metrics& metrics, Post post);
  ~OtlpExporter() override;

  void Record(Span span) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is sent after `time`, of the real clock.
  void EndBy(absl::Time time) { end_.EndBy(time); }

  // Sends what waits. For one thread at a time.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  // Posts to the traces of config.endpoint, for 5 s at most, with the headers
  // of config.headers_file. For one thread at a time.
  static Post PostTo(const TracingConfig& config);

 private:
  void Send(absl::Span<const Span> spans);

  const std::string service_version_;
  Metrics& metrics_;
  const Post post_;
  bool failing_ = false;  // said so; of the sending thread
  TransferEnd end_;
  absl::Mutex mutex_;
  std::vector<Span> waiting_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<WorkThread> sender_;  // last: its thread uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_OTLP_EXPORTER_H_
