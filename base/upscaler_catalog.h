#ifndef GENZO_BASE_UPSCALER_CATALOG_H_
#define GENZO_BASE_UPSCALER_CATALOG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// What the pool can enlarge pictures with: written by workers, read by front
// ends to validate and list. Thread-safe.
class UpscalerCatalog {
 public:
  UpscalerCatalog();

  struct Entry {
    v1::Upscaler upscaler;
    std::string path = {};  // of its weights; empty: a filter
    std::string id = {};    // another once the file has changed
  };
  // Of two with one name the first stays, and false is returned.
  bool Put(const Entry& entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing if there is none.
  void Remove(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  // The one of that name; for "" the first network, else the filter.
  // NOT_FOUND lists the known names.
  absl::StatusOr<Entry> Get(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // By name.
  std::vector<v1::Upscaler> List() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_BASE_UPSCALER_CATALOG_H_
