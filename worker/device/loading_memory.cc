#include "worker/device/loading_memory.h"

#ifdef GENZO_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <sys/types.h>

#include "absl/base/const_init.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

// jemalloc looks for it in the program. What a step has freed the next one
// wants: it stays until ReturnFreeMemory(). By default large pieces go back at
// once and the others little by little, and come again as page faults.
extern "C" const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1";

namespace genzo {
namespace {

constexpr char kOfNewArenas[] = "arenas.dirty_decay_ms";

ABSL_CONST_INIT absl::Mutex mutex(absl::kConstInit);
int loading ABSL_GUARDED_BY(mutex) = 0;
ssize_t usual_decay_ms ABSL_GUARDED_BY(mutex) = 0;

// How long freed pages are kept; those there are go at once where not at all.
void SetDecay(ssize_t milliseconds) {
  mallctl(kOfNewArenas, nullptr, nullptr, &milliseconds, sizeof(milliseconds));
  unsigned arenas = 0;
  size_t size = sizeof(arenas);
  mallctl("arenas.narenas", &arenas, &size, nullptr, 0);
  for (unsigned i = 0; i < arenas; ++i) {
    // One that nobody has used yet refuses, and will be a new one.
    mallctl(absl::StrCat("arena.", i, ".dirty_decay_ms").c_str(), nullptr,
            nullptr, &milliseconds, sizeof(milliseconds));
  }
}

}  // namespace

LoadingMemory::LoadingMemory() {
  absl::MutexLock lock(&mutex);
  if (++loading > 1) return;
  size_t size = sizeof(usual_decay_ms);
  mallctl(kOfNewArenas, &usual_decay_ms, &size, nullptr, 0);
  SetDecay(0);
}

LoadingMemory::~LoadingMemory() {
  absl::MutexLock lock(&mutex);
  if (--loading == 0) SetDecay(usual_decay_ms);
}

}  // namespace genzo

#else  // a sanitizer's allocator

namespace genzo {

LoadingMemory::LoadingMemory() = default;
LoadingMemory::~LoadingMemory() = default;

}  // namespace genzo

#endif
