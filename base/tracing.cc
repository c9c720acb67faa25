#include "base/tracing.h"

#include <algorithm>
#include <limits>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr size_t kTraceDigits = 32;
constexpr size_t kSpanDigits = 16;
// "00-" trace "-" span "-" flags.
constexpr size_t kLength = 3 + kTraceDigits + 1 + kSpanDigits + 1 + 2;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
  });
}

bool IsId(absl::string_view text) {
  return IsLowerHex(text) &&
         text.find_first_not_of('0') != absl::string_view::npos;
}

// Not 0: an id of zeros alone is none.
std::string RandomId(size_t digits) {
  thread_local absl::BitGen random;
  std::string id;
  while (id.size() < digits) {
    absl::StrAppend(&id, absl::Hex(absl::Uniform<uint64_t>(
                                       absl::IntervalClosed, random, 1,
                                       std::numeric_limits<uint64_t>::max()),
                                   absl::kZeroPad16));
  }
  return id;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() < kLength) return std::nullopt;
  const absl::string_view version = text.substr(0, 2);
  const bool is_later = version != "00";
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  if (text.size() > kLength && (!is_later || text[kLength] != '-')) {
    return std::nullopt;
  }
  const absl::string_view trace = text.substr(3, kTraceDigits);
  const absl::string_view span = text.substr(36, kSpanDigits);
  const absl::string_view flags = text.substr(53, 2);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-' || !IsId(trace) ||
      !IsId(span) || !IsLowerHex(flags)) {
    return std::nullopt;
  }
  const char last = flags[1];
  const int low = absl::ascii_isdigit(last) ? last - '0' : last - 'a' + 10;
  return TraceContext{std::string(trace), std::string(span), (low & 1) != 0};
}

std::string FormatTraceparent(const TraceContext& context) {
  return absl::StrCat("00-", context.trace_id, "-", context.span_id, "-",
                      context.sampled ? "01" : "00");
}

TraceContext Tracer::Begin(const std::optional<TraceContext>& parent) const {
  if (parent.has_value()) {
    return {parent->trace_id, RandomId(kSpanDigits), parent->sampled};
  }
  thread_local absl::BitGen random;
  return {RandomId(kTraceDigits), RandomId(kSpanDigits),
          absl::Bernoulli(random, sample_ratio_)};
}

std::string TraceparentFor(const std::optional<TraceContext>& caller,
                           const Tracer* tracer) {
  if (tracer != nullptr) return FormatTraceparent(tracer->Begin(caller));
  return caller.has_value() ? FormatTraceparent(*caller) : "";
}

void RecordPart(Tracer* tracer, const std::string& traceparent, Span part) {
  if (tracer == nullptr) return;
  const auto whole = ParseTraceparent(traceparent);
  if (!whole.has_value() || !whole->sampled) return;
  part.context = tracer->Begin(whole);
  part.parent = whole->span_id;
  tracer->Record(std::move(part));
}

std::string TraceIdOf(absl::string_view traceparent) {
  const auto context = ParseTraceparent(traceparent);
  return context.has_value() ? context->trace_id : "";
}

}  // namespace genzo
