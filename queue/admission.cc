#include "queue/admission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/errors.h"

namespace genzo {

absl::Status Admit(const AdmissionFacts& facts) {
  if (facts.places_short > 0) {
    return RetryLaterError(
        "QUEUE_FULL",
        absl::StrCat("the queue is full: ", facts.waiting,
                     " jobs wait, the limit is ", facts.capacity),
        std::clamp(facts.time_per_place * facts.places_short, absl::Seconds(1),
                   absl::Minutes(5)));
  }
  if (facts.predicted.has_value() &&
      *facts.predicted > facts.time_to_deadline) {
    const double predicted = absl::ToDoubleSeconds(*facts.predicted);
    return RetryLaterError(
        "DEADLINE_UNREACHABLE",
        absl::StrFormat("the job would take %.1f s, its deadline is in %.1f s",
                        predicted,
                        absl::ToDoubleSeconds(facts.time_to_deadline)),
        std::clamp(*facts.predicted - facts.time_to_deadline, absl::Seconds(1),
                   absl::Minutes(5)),
        {{"predicted_seconds", absl::StrFormat("%.3f", predicted)}});
  }
  return absl::OkStatus();
}

}  // namespace genzo
