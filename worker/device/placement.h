#ifndef GENZO_WORKER_DEVICE_PLACEMENT_H_
#define GENZO_WORKER_DEVICE_PLACEMENT_H_

#include "c10/core/Device.h"
#include "c10/core/ScalarType.h"

namespace genzo {

// Where a model lives and in which type it computes.
struct Placement {
  c10::Device device = c10::Device(c10::kCPU);
  c10::ScalarType dtype = c10::kFloat;
  bool record = true;  // a GPU's evaluations once, and replay them
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_PLACEMENT_H_
