#ifndef GENZO_QUEUE_MODEL_CONTROL_H_
#define GENZO_QUEUE_MODEL_CONTROL_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace genzo {

// Reason of a Load() on a device that is out of use.
inline constexpr char kDeviceOut[] = "DEVICE_OUT";

// How front ends ask the pool to bring models in and out of memory.
// Thread-safe; the callbacks run on a thread of the pool's and must not block.
class ModelControl {
 public:
  using Done = std::function<void(const absl::Status&)>;

  virtual ~ModelControl() = default;

  // Loads the configured model `id` on every device, and pins or unpins it
  // unless `pinned` is empty. FAILED_PRECONDITION/MODEL_FAILED,
  // RESOURCE_EXHAUSTED/DOES_NOT_FIT.
  virtual void Load(const std::string& id, std::optional<bool> pinned,
                    Done done) = 0;

  // Unloads it from every device once its runs are done, and unpins it.
  virtual void Unload(const std::string& id, Done done) = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_MODEL_CONTROL_H_
