#include "worker/engine/device_answers.h"

#include "base/errors.h"

namespace genzo {

void DeviceAnswers::Tell(const absl::Status& status) {
  absl::Status said;
  {
    absl::MutexLock lock(&mutex_);
    const bool is_out = ErrorReason(status) == kDeviceOut;
    (is_out ? out_ : status_).Update(status);
    all_out_ = all_out_ && is_out;
    if (--left_ > 0) return;
    said = all_out_ ? out_ : status_;
  }
  done_(said);
}

}  // namespace genzo
