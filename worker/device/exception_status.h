#ifndef GENZO_WORKER_DEVICE_EXCEPTION_STATUS_H_
#define GENZO_WORKER_DEVICE_EXCEPTION_STATUS_H_

#include <string>

#include "absl/status/status.h"

namespace genzo {

// The exception being handled as a status whose message begins with `what` was
// being done: out of memory is RESOURCE_EXHAUSTED, anything else INTERNAL.
// Without the stack traces that LibTorch adds: clients see the message. Call in
// a catch block.
absl::Status StatusFromException(const std::string& what);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_EXCEPTION_STATUS_H_
