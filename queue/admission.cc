#include "queue/admission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/errors.h"

namespace genzo {
namespace {

absl::Duration RetryIn(absl::Duration time) {
  return std::clamp(time, absl::Seconds(1), absl::Minutes(5));
}

absl::Status Unreachable(const AdmissionFacts& facts) {
  const bool hopeless = facts.alone > facts.time_to_deadline;
  const absl::Duration time = hopeless ? facts.alone : *facts.predicted;
  const double seconds = absl::ToDoubleSeconds(time);
  const std::string message = absl::StrFormat(
      "the job would take %.1f s%s, its deadline is in %.1f s", seconds,
      hopeless ? " on an idle server" : "",
      std::max(0.0, absl::ToDoubleSeconds(facts.time_to_deadline)));
  const ErrorMetadata metadata = {
      {"predicted_seconds", absl::StrFormat("%.3f", seconds)}};
  if (hopeless) {
    return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                           "DEADLINE_UNREACHABLE", message, metadata);
  }
  return RetryLaterError("DEADLINE_UNREACHABLE", message,
                         RetryIn(time - facts.time_to_deadline), metadata,
                         absl::StatusCode::kResourceExhausted);
}

}  // namespace

size_t TotalOf(const TenantCounts& counts) {
  size_t total = 0;
  for (const auto& [tenant, count] : counts) total += count;
  return total;
}

bool IsFull(size_t taken, size_t places) {
  return taken >= kMostOverPlaces * places;
}

std::set<std::string> TenantsWithEnough(const TenantCounts& counts,
                                        size_t places) {
  std::set<std::string> enough;
  if (TotalOf(counts) < places) return enough;
  for (const auto& [tenant, count] : counts) {
    if (count * counts.size() >= places) enough.insert(tenant);
  }
  return enough;
}

size_t PlacesShort(TenantCounts counts, size_t places,
                   const std::string& tenant) {
  counts.try_emplace(tenant, 0);
  const size_t total = TotalOf(counts);
  if (TenantsWithEnough(counts, places).count(tenant) > 0) {
    return total - places + 1;
  }
  return IsFull(total, places) ? total - kMostOverPlaces * places + 1 : 0;
}

absl::Status Admit(const AdmissionFacts& facts) {
  if (facts.places_short > 0) {
    return RetryLaterError(
        "QUEUE_FULL",
        absl::StrCat("the queue is full: ", facts.waiting,
                     " jobs wait, the limit is ", facts.capacity),
        RetryIn(facts.time_per_place * facts.places_short),
        {{"quota", "queue"}, {"limit", absl::StrCat(facts.capacity)}});
  }
  const bool late =
      facts.predicted.has_value() &&
      std::max(*facts.predicted, facts.alone) > facts.time_to_deadline;
  return late ? Unreachable(facts) : absl::OkStatus();
}

}  // namespace genzo
