#ifndef GENZO_SERVER_JOBS_STREAM_SHARES_H_
#define GENZO_SERVER_JOBS_STREAM_SHARES_H_

#include <string>

#include "absl/status/status.h"
#include "base/metrics.h"
#include "base/tenant_totals.h"

namespace genzo {

// Streams of events that are open, and who may open one more. The last eighth
// is for tenants that have less than an even share, so that those that have
// most cannot lock out the others. Not thread-safe.
//
//   Example: of 800 the last 100 are kept. 700 are open, 600 of them A's and
//   100 B's, an even share is 350: A is refused and B is not. C has none, so
//   that a third would be even: it may have all of the last 100.
class StreamShares {
 public:
  // `metrics`, which is told how many there are, outlives this object.
  StreamShares(int most, Metrics& metrics) : most_(most), metrics_(metrics) {}

  // RESOURCE_EXHAUSTED/TOO_MANY_STREAMS with RetryInfo if the tenant may not
  // have one more, which is counted.
  absl::Status CheckOneMore(const std::string& tenant) const;

  void Add(const std::string& tenant) { Change(tenant, 1); }
  void Remove(const std::string& tenant) { Change(tenant, -1); }

 private:
  void Change(const std::string& tenant, int by);

  const int most_;
  Metrics& metrics_;
  int all_ = 0;
  TenantTotals of_tenants_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_STREAM_SHARES_H_
