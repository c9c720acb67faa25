#include "worker/engine/free_memory.h"

// Steps allocate and free the same hundreds of tensors over and over: with
// jemalloc those of the model in the box take a tenth less
// (docs/performance.md). Sanitizers bring an allocator of their own.
#ifdef GENZO_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

namespace genzo {

#ifdef GENZO_JEMALLOC

#define GENZO_QUOTED_(text) #text
#define GENZO_QUOTED(text) GENZO_QUOTED_(text)

void ReturnFreeMemory() {
  mallctl("arena." GENZO_QUOTED(MALLCTL_ARENAS_ALL) ".purge", nullptr, nullptr,
          nullptr, 0);
}

#else

void ReturnFreeMemory() { malloc_trim(0); }

#endif

}  // namespace genzo
