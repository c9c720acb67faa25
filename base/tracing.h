#ifndef GENZO_BASE_TRACING_H_
#define GENZO_BASE_TRACING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/variant.h"

// Distributed traces: who caused what, over several programs. Contexts travel
// as W3C's `traceparent` (https://www.w3.org/TR/trace-context/).

namespace genzo {

// A span's place in its trace.
struct TraceContext {
  std::string trace_id;  // 32 hex digits in lower case, not all 0
  std::string span_id;   // 16 likewise
  bool sampled = false;  // whether its spans are kept
  bool operator==(const TraceContext&) const = default;
};

// The context of "00-TRACE-SPAN-FLAGS"; nullopt if it is not one, and then the
// caller counts as one without, as the standard says. Later versions are read
// as far as this one goes. Pure.
std::optional<TraceContext> ParseTraceparent(absl::string_view text);
std::string FormatTraceparent(const TraceContext& context);

// Names of spans. A job is whole from its acceptance to its end; the others are
// its parts, but for kStepSpan: an evaluation serves several jobs, stands in a
// trace of its own and links to them.
inline constexpr char kHttpSpan[] = "http";
inline constexpr char kJobSpan[] = "job";
inline constexpr char kAdmitSpan[] = "admit";
inline constexpr char kQueueSpan[] = "queue";
inline constexpr char kEncodeSpan[] = "encode";
inline constexpr char kDenoiseSpan[] = "denoise";
inline constexpr char kStepSpan[] = "step";
inline constexpr char kDecodeSpan[] = "decode";
inline constexpr char kDeliverSpan[] = "deliver";

// Work that took its time.
struct Span {
  std::string name;
  TraceContext context = {};
  std::string parent = {};               // span id; empty: the trace's first
  std::vector<TraceContext> links = {};  // spans that it served besides
  absl::Time begin = {};                 // by the date, as is `end`
  absl::Time end = {};
  using Value = absl::variant<std::string, int64_t, double>;
  std::vector<std::pair<std::string, Value>> attributes = {};
  std::string error = {};  // empty: it went well
};

// Makes contexts and takes spans. Thread-safe. Null pointers to one mean that
// nobody traces here.
class Tracer {
 public:
  virtual ~Tracer() = default;

  // Keeps a span of a sampled trace, drops others. Does not block.
  virtual void Record(Span span) = 0;

  // A new span's context: in the trace of `parent`, or of a new trace that is
  // sampled with `sample_ratio`.
  TraceContext Begin(const std::optional<TraceContext>& parent) const;

 protected:
  explicit Tracer(double sample_ratio) : sample_ratio_(sample_ratio) {}

 private:
  const double sample_ratio_;
};

// What is passed on for a caller's work: a new span's context if somebody
// traces here, else the caller's own, so that a trace goes on behind us; empty
// if there is neither.
std::string TraceparentFor(const std::optional<TraceContext>& caller,
                           const Tracer* tracer);

// Records a part of the span that `traceparent` names, if there is one and
// `tracer` is not null. `part`'s context and parent are filled in.
void RecordPart(Tracer* tracer, const std::string& traceparent, Span part);

// The trace's id in `traceparent`; empty if there is none. For logs.
std::string TraceIdOf(absl::string_view traceparent);

}  // namespace genzo

#endif  // GENZO_BASE_TRACING_H_
