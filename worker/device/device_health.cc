#include "worker/device/device_health.h"

#include <algorithm>
#include <exception>

#include "ATen/ops/add.h"
#include "ATen/ops/item.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/sum.h"
#include "absl/strings/str_cat.h"
#include "worker/device/exception_status.h"

namespace genzo {

void DeviceHealth::Evaluated(const absl::Status& status, absl::Time now) {
  if (status.ok()) {
    failures_ = 0;
    rest_ = absl::ZeroDuration();
    return;
  }
  if (!absl::IsInternal(status)) return;
  ++failures_;
  // Hardly back, it fails again, whatever the probe said.
  if (failures_ >= kHopeless) TakeOut(now);
}

void DeviceHealth::Probed(const absl::Status& status, absl::Time now) {
  if (!status.ok()) return TakeOut(now);
  out_ = false;
}

void DeviceHealth::TakeOut(absl::Time now) {
  out_ = true;
  rest_ = std::clamp(2 * rest_, kFirstRest, kLongestRest);
  retry_at_ = now + rest_;
}

absl::Status ProbeDevice(const c10::Device& device) {
  constexpr int64_t kElements = 1024;
  try {
    const at::Tensor ones = at::ones({kElements}, at::device(device));
    const auto sum = at::sum(at::add(ones, ones)).item().toDouble();
    if (sum == 2.0 * kElements) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat(device.str(), " adds wrongly: ", sum));
  } catch (...) {
    const absl::Status status = StatusFromException(device.str());
    // Memory may be full of models; it is no fault.
    return absl::IsResourceExhausted(status) ? absl::OkStatus() : status;
  }
}

}  // namespace genzo
