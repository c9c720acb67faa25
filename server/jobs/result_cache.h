#ifndef GENZO_SERVER_JOBS_RESULT_CACHE_H_
#define GENZO_SERVER_JOBS_RESULT_CACHE_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/metrics.h"
#include "base/picture_config.h"
#include "base/tenant_totals.h"
#include "base/work_thread.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "queue/event_sink.h"

namespace genzo {

// Pictures of REPRODUCIBLE requests, for when the same one comes again: in
// memory, or in a folder, where the next server finds them. A tenant gets none
// but its own. Where there are too many bytes, of a tenant or of all, what was
// asked for least recently goes. Other files of the folder are left alone. Its
// end writes what waits. Thread-safe.
class ResultCache {
 public:
  // FAILED_PRECONDITION if the folder cannot be used.
  // Outlived by `metrics`.
  static absl::StatusOr<std::unique_ptr<ResultCache>> Open(
      const ResultCacheConfig& config, Metrics& metrics);

  // What stands for all that decides about a request's pictures: the tenant,
  // the request as resolved, the model's files and type. Empty if it decides
  // too little: the request is not REPRODUCIBLE, keeps latents or starts from
  // some.
  static std::string KeyOf(const std::string& tenant,
                           const v1::GenerateRequest& resolved,
                           const v1::Model& model);

  // All images of the request, if they are here. Reads the disk.
  std::optional<std::vector<v1::Image>> Find(const std::string& key)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Put(const std::string& key, const std::vector<v1::Image>& images)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Passes a job's events on to `sink`, and puts its pictures here once it has
  // ended with all `count`. Outlived by this object.
  std::shared_ptr<EventSink> Recording(std::string key, size_t count,
                                       std::shared_ptr<EventSink> sink);

 private:
  class Recorder;
  struct Entry {
    std::string key;
    int64_t bytes = 0;
    std::string data;  // empty once it is in the folder
  };
  using Entries = std::list<Entry>;  // what was asked for last is first

  ResultCache(const ResultCacheConfig& config, Metrics& metrics);

  absl::Status Scan() ABSL_LOCKS_EXCLUDED(mutex_);
  std::string PathOf(const std::string& key) const;
  void AddLocked(Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::iterator RemoveLocked(Entries::iterator entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TrimLocked(const std::string& tenant)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Has the file of `key` written, or removed if the key is not here. Nothing
  // if there is no folder.
  void Changed(const std::string& key);
  // The same, on the writer's thread.
  void WriteNow(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);

  const ResultCacheConfig config_;
  Metrics& metrics_;
  absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Entries::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  TenantTotals tenant_bytes_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<WorkThread> writer_;  // last: uses the rest; null: no folder
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_RESULT_CACHE_H_
