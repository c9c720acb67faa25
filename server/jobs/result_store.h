#ifndef GENZO_SERVER_JOBS_RESULT_STORE_H_
#define GENZO_SERVER_JOBS_RESULT_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/folder_lock.h"
#include "genzo/internal/v1/kept_job.pb.h"
#include "server/jobs/event_logs.h"

namespace genzo {

// Jobs and their results in a folder, one file a job, for servers to come. A
// file is written under another name, flushed to the disk and then renamed, and
// the folder is flushed: after a crash at any moment it is there as a whole or
// as it was before. What is there all the same but cannot be read, because the
// disk lost it, is said in the log and left alone.
//
// Empty files beside it are marks of the job, which are not flushed: a crash
// may lose one, and then a webhook is sent twice, or a death not counted.
//
//   4f2a.job       the job, and once it has ended its events
//   4f2a.begun     it was running, here or in a server that died
//   4f2a.told      its webhook was sent, or given up
//   .ended-cleanly the last server did not die
//
// Thread-safe; every method waits for the disk.
class ResultStore {
 public:
  // Notes jobs, at least one, that have ended and whose files go.
  using Leaving =
      std::function<absl::Status(const std::vector<internal::v1::KeptJob>&)>;

  // Finds what earlier servers left in `folder`, which is made, for its owner
  // alone, if it is not there; the rights of one that is are left as they are,
  // and the log warns where others may come in. Files of ended jobs may have
  // `most_bytes` together. `leaving`, if there is one, is called before files
  // are removed, by one thread at a time, and once more if it could not note
  // their jobs: then the files have made room. FAILED_PRECONDITION if the
  // folder cannot be used.
  static absl::StatusOr<std::unique_ptr<ResultStore>> Open(
      const std::string& folder, int64_t most_bytes, Leaving leaving = nullptr);

  // Leaves word that this server did not die.
  ~ResultStore();

  // A file that says that the server before came to its end by itself.
  static constexpr char kCleanEnd[] = ".ended-cleanly";
  // Leaves that word for a server that is told to end at once: what it breaks
  // off is not to blame. Nothing if `folder` is empty or not there.
  static void NoteCleanEnd(const std::string& folder);

  // The jobs that were there when it was opened, in no order; those that ended
  // have a webhook only if it is still to be sent, and of the others
  // `restarts` counts the servers that died after they had begun. To be called
  // once.
  std::vector<internal::v1::KeptJob> TakeFound() {
    return std::exchange(found_, {});
  }

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

  // Marks a job that is kept as one that has begun, or has not. If this server
  // dies, that may be of a job that has.
  void MarkBegun(const std::string& id, bool has_begun) const;

  // Removes what is kept of the jobs, if anything is.
  void Remove(const std::vector<std::string>& ids) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Ended jobs, by when they ended and their id, which makes keys unique.
  using Ends = std::map<std::pair<absl::Time, std::string>, int64_t>;

  ResultStore(std::string folder, int64_t most_bytes, Leaving leaving)
      : folder_(std::move(folder)),
        most_bytes_(most_bytes),
        leaving_(std::move(leaving)) {}

  std::string PathOf(const std::string& id) const;
  // Of the job's file and of what was noted beside it.
  void RemoveFiles(const std::string& id) const;
  // Those that have ended, as they are kept.
  std::vector<internal::v1::KeptJob> EndedOf(
      const std::vector<std::string>& ids) const;
  // Removes the files of jobs; those that have ended are noted.
  void LetGoLocked(const std::vector<std::string>& ids)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the folder, or finds out what others may do with it.
  void PrepareFolder() const;
  absl::Status Find() ABSL_LOCKS_EXCLUDED(mutex_);
  void FindFile(const std::string& path, bool has_died)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a job that was found.
  void ReadMarks(internal::v1::KeptJob& job, bool has_died) const;
  void NoteLocked(const internal::v1::KeptJob& job, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::string> TrimLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  const int64_t most_bytes_;
  const Leaving leaving_;           // may be null
  std::optional<FolderLock> lock_;  // once the folder is ours
  std::vector<internal::v1::KeptJob> found_;
  absl::Mutex mutex_;
  Ends ends_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> ended_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_RESULT_STORE_H_
