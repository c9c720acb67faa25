#ifndef GENZO_WORKER_TEXT_EMBEDDING_FOLDERS_H_
#define GENZO_WORKER_TEXT_EMBEDDING_FOLDERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/watched_folders.h"
#include "worker/text/embedding_library.h"

namespace genzo {

// The library of folders whose files come, change and go.
class EmbeddingFolders {
 public:
  // Looks.
  explicit EmbeddingFolders(std::vector<std::string> folders);

  // Reads the folders anew if any file of theirs is not as it was. For one
  // thread at a time.
  void Look() ABSL_LOCKS_EXCLUDED(mutex_);

  // What the last look found; another object exactly if it was read anew. Any
  // thread.
  std::shared_ptr<const EmbeddingLibrary> library() const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  WatchedFolders folders_;                    // Look()'s own
  std::vector<WatchedFolders::Entry> found_;  // likewise: what was read
  mutable absl::Mutex mutex_;
  std::shared_ptr<const EmbeddingLibrary> library_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_EMBEDDING_FOLDERS_H_
