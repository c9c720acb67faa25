#ifndef GENZO_WORKER_RESIDENCY_LORA_LIBRARY_H_
#define GENZO_WORKER_RESIDENCY_LORA_LIBRARY_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/lora_catalog.h"
#include "base/watched_folders.h"
#include "worker/adapters/adapter_targets.h"
#include "worker/weights/safetensors.h"

namespace genzo {

// What clients are told of the file at `path`: its tensors, not where it lies.
// Pure.
absl::Status ForClients(const absl::Status& status, const std::string& path);

// The adapters that lie in the configured folders: every *.safetensors file in
// them and below is one, by its name without the ending. Keeps the catalog: a
// new file is there once its header was read; what its values are, and which
// models take it, follows. Looks into the folders now and then, on a thread of
// its own. Thread-safe.
class LoraLibrary {
 public:
  // The headers of all files are read before this returns. `catalog` outlives
  // the library. No thread if `interval` is infinite: then Look() is called.
  LoraLibrary(std::vector<std::string> folders, LoraCatalog& catalog,
              absl::Duration interval);
  ~LoraLibrary();

  // A model was loaded: the catalog will tell what fits it.
  void AddModel(const std::string& id,
                std::shared_ptr<const AdapterTargets> targets)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // There is no such model any more.
  void RemoveModel(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // What is known of an adapter's file.
  struct File {
    std::shared_ptr<const SafetensorsFile> tensors;
    std::string id;  // another once the file has changed
  };
  // NOT_FOUND naming it, or why the file cannot be used.
  absl::StatusOr<File> Find(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Finds what is new, has changed or is gone; checks what was not checked yet.
  void Look() ABSL_LOCKS_EXCLUDED(looking_, mutex_);

 private:
  struct Entry {
    std::string path;
    File file;                           // no tensors: the file is not sound
    bool checked = false;                // its values
    std::vector<std::string> fits = {};  // models that it was compared with
  };

  void Loop();
  // Headers of what is new.
  void Scan() ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Open(const std::string& name, const std::string& path,
            const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckValues() ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckFits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(looking_)
      ABSL_LOCKS_EXCLUDED(mutex_);

  WatchedFolders folders_ ABSL_GUARDED_BY(looking_);
  // Paths that the log has told of.
  std::set<std::string> left_out_ ABSL_GUARDED_BY(looking_);
  LoraCatalog& catalog_;
  const absl::Duration interval_;
  absl::Mutex looking_;  // one at a time
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = true;                     // to look now
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by name
  std::map<std::string, std::shared_ptr<const AdapterTargets>> models_
      ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_LORA_LIBRARY_H_
