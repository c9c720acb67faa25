#ifndef GENZO_WORKER_DEVICE_DEVICE_HEALTH_H_
#define GENZO_WORKER_DEVICE_DEVICE_HEALTH_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "c10/core/Device.h"

namespace genzo {

// Whether a device may have work. One that fails every evaluation at once is
// always the freest and would draw all jobs to it. Values and times come from
// the caller; for one thread.
//
//   sound --all of it fails------> probe --fails--> out --rest--> probe ...
//     ^---------- a probe that goes well --+-----------------------'
//
// A probe tells a broken device from a model whose evaluations fail on any. One
// that passes every probe and still fails all evaluations is taken out too,
// after kHopeless INTERNAL failures in a row: out of memory and bad requests
// say nothing about the device.
class DeviceHealth {
 public:
  static constexpr int kHopeless = 20;  // failures in a row
  // Out for so long, twice as long each time in a row.
  static constexpr absl::Duration kFirstRest = absl::Seconds(30);
  static constexpr absl::Duration kLongestRest = absl::Minutes(16);

  // How an evaluation went.
  void Evaluated(const absl::Status& status, absl::Time now);
  // What ProbeDevice() said, which is asked when all runs of a batch failed
  // each alone, when an encoding or a sent picture failed as on a broken
  // device, and at retry_at().
  void Probed(const absl::Status& status, absl::Time now);

  // False: it takes no jobs, and its runs go elsewhere.
  bool usable() const { return !out_; }
  absl::Time retry_at() const { return retry_at_; }

 private:
  void TakeOut(absl::Time now);

  int failures_ = 0;  // in a row
  bool out_ = false;
  absl::Duration rest_;  // the last
  absl::Time retry_at_ = absl::InfinitePast();
};

// Computes something small on the device and looks at the result: OK, or
// INTERNAL with what the device said. After a fault that lasts, as CUDA's
// "sticky" ones, it fails. On the device's thread.
absl::Status ProbeDevice(const c10::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_DEVICE_HEALTH_H_
