#ifndef GENZO_SERVER_JOBS_HELD_BYTES_H_
#define GENZO_SERVER_JOBS_HELD_BYTES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/tenant_totals.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// When somebody whose results found no room may come again.
inline constexpr absl::Duration kResultsRetry = absl::Seconds(5);

// What an event weighs: its picture alone.
int64_t PictureBytes(const v1::JobEvent& event);

// Bytes of pictures that wait for their readers, of each tenant and of all,
// beside the bounds of the configuration. Counts; whoever passes a bound is for
// others to say. Not thread-safe.
class HeldBytes {
 public:
  // `metrics`, which is told the sum, outlives this object.
  HeldBytes(const DeliveryLimits& limits, Metrics& metrics)
      : limits_(limits), metrics_(metrics) {}

  // `more` may be negative.
  void Add(const std::string& tenant, int64_t more);

  bool TenantPasses(const std::string& tenant) const {
    return of_tenants_.Of(tenant) > limits_.tenant_bytes;
  }
  bool AllPass() const { return all_ > limits_.process_bytes; }

  // Whether `more` fit beside what is held; where nothing is, they always do.
  // RESOURCE_EXHAUSTED/RESULTS_BUSY with RetryInfo.
  absl::Status CheckRoom(const std::string& tenant, int64_t more) const;

 private:
  const DeliveryLimits limits_;
  Metrics& metrics_;
  TenantTotals of_tenants_;
  int64_t all_ = 0;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_HELD_BYTES_H_
