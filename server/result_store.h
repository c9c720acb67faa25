#ifndef GENZO_SERVER_RESULT_STORE_H_
#define GENZO_SERVER_RESULT_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/folder_lock.h"
#include "genzo/internal/v1/kept_job.pb.h"
#include "server/event_logs.h"

namespace genzo {

// Jobs and their results in a folder, one file a job, for servers to come. A
// file is written under another name, flushed to the disk and then renamed, and
// the folder is flushed: after a crash at any moment it is there as a whole or
// as it was before. What is there all the same but cannot be read, because the
// disk lost it, is said in the log and left alone.
//
// Thread-safe; every method waits for the disk.
class ResultStore {
 public:
  // Finds what earlier servers left in `folder`, which is made if it is not
  // there. Files of ended jobs may have `most_bytes` together.
  // FAILED_PRECONDITION if the folder cannot be used.
  static absl::StatusOr<std::unique_ptr<ResultStore>> Open(
      const std::string& folder, int64_t most_bytes);

  // Leaves word that this server did not die.
  ~ResultStore();

  // A file that says that the server before came to its end by itself.
  static constexpr char kCleanEnd[] = ".ended-cleanly";
  // Whether the one before this did.
  bool ended_cleanly() const { return ended_cleanly_; }

  // The jobs that were there when it was opened, in no order; those that ended
  // have a webhook only if it is still to be sent.
  const std::vector<internal::v1::KeptJob>& found() const { return found_; }

  // Writes the job in place of what was kept of it. If then there are too many
  // bytes, those of the jobs that ended first are removed, and their ids
  // returned; the job itself, if it is too large alone. On an error (a full
  // disk) what was kept of it before is still there.
  absl::StatusOr<std::vector<std::string>> Write(
      internal::v1::KeptJob job, const std::vector<EventRef>& events)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The job's events. NOT_FOUND if it is not kept, DATA_LOSS if its file is
  // damaged.
  absl::StatusOr<std::vector<EventRef>> Read(const std::string& id) const;

  // Notes that the webhook of a job in `folder` needs no more sending. One that
  // a crash keeps from being noted is sent again.
  static void NoteToldIn(const std::string& folder, const std::string& id);

  // Removes what is kept of the job, if anything is.
  void Remove(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Ended jobs, by when they ended and their id, which makes keys unique.
  using Ends = std::map<std::pair<absl::Time, std::string>, int64_t>;

  ResultStore(std::string folder, int64_t most_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  std::string PathOf(const std::string& id) const;
  // Of the job's file and of what was noted beside it.
  void RemoveFiles(const std::string& id) const;
  absl::Status Find();
  void NoteLocked(const internal::v1::KeptJob& job, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::string> TrimLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  const int64_t most_bytes_;
  std::optional<FolderLock> lock_;  // once the folder is ours
  std::vector<internal::v1::KeptJob> found_;
  bool ended_cleanly_ = false;
  absl::Mutex mutex_;
  Ends ends_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> ended_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RESULT_STORE_H_
