#ifndef GENZO_WORKER_DEVICE_CORE_WAIT_H_
#define GENZO_WORKER_DEVICE_CORE_WAIT_H_

#include "absl/time/time.h"

namespace genzo {

// How long the threads that the process has now have waited for a core, all
// together, when they could have run: Linux's run delay. What a computation
// took says little of it if its threads waited meanwhile. Zero on a system that
// does not count it. Any thread; takes a few microseconds for each thread.
absl::Duration CoreWait();

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_CORE_WAIT_H_
