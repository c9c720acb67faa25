#ifndef GENZO_SERVER_JOBS_JOB_ARCHIVE_H_
#define GENZO_SERVER_JOBS_JOB_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/work_thread.h"
#include "server/jobs/event_logs.h"
#include "server/jobs/gone_jobs.h"
#include "server/jobs/job_book.h"
#include "server/jobs/result_store.h"

namespace genzo {

// Where jobs are found again: their events (EventLogs), what is known of them
// (JobBook) and, if the configuration names a folder, both on disk
// (ResultStore, and GoneJobs once results are gone). Writing is done by a
// thread of its own; results stay in memory until they are on disk. Those that
// cannot be written are counted, tried again every kRetryWriting and once more
// at the end, for as long as memory has them. Reading results back is done by
// who asks for them.
//
// A job that Keep() was called for is begun anew by the next server if this one
// stops before its end, or dies. Up to kMostRestarts servers may die under it
// after it had begun: perhaps of the job. One that only waited is not to blame.
//
// Thread-safe.
class JobArchive {
 public:
  static constexpr uint32_t kMostRestarts = 2;
  static constexpr absl::Duration kRetryWriting = absl::Seconds(10);
  // Jobs whose results wait for that; of more, the first are given up.
  static constexpr size_t kMostUnwritten = 1000;

  struct Options {
    DeliveryLimits delivery = {};
    JobsConfig jobs = {};
  };
  // `cancel` as for EventLogs; `moved` as in JobBookHooks, but for the ends of
  // jobs that the next server finds in the folder.
  // `clock` and `metrics` outlive the archive. FAILED_PRECONDITION if the
  // folder cannot be used.
  static absl::StatusOr<std::unique_ptr<JobArchive>> Open(
      const Options& options, std::function<void(const std::string&)> cancel,
      std::function<void(const internal::v1::KeptJob&)> moved,
      const Clock& clock, Metrics& metrics);
  // Waits for the disk.
  ~JobArchive();

  EventLogs& logs() { return *logs_; }
  JobBook& book() { return *book_; }

  // The id of the job that the file's request id stands for, for Watch(); empty
  // if it stands for none, or for one that is being cancelled.
  // ALREADY_EXISTS/REQUEST_ID_IN_USE if it stands for another request,
  // NOT_FOUND/JOB_EXPIRED if its results are known to be gone: Watch() finds
  // those that the disk has lost.
  absl::StatusOr<std::string> FindAgain(const JobFile& file);

  // A reader of the tenant's job, as EventLogs::Watch().
  // NOT_FOUND/JOB_EXPIRED, NOT_FOUND/JOB_UNKNOWN.
  absl::StatusOr<std::unique_ptr<EventReader>> Watch(
      const std::string& tenant, const std::string& id, uint64_t after,
      const ReaderListener& listener);

  // Calls `done` once `job`, with what was queued, is on disk, so that a server
  // to come does it if this one does not, or has ended; at once unless
  // keeps_jobs(). UNAVAILABLE/NOT_KEPT with RetryInfo, and the log says why, if
  // it cannot be written.
  void Keep(internal::v1::KeptJob job,
            std::function<void(const absl::Status&)> done);

  // Whether there is a folder, so that it is of use to make what Keep() takes.
  bool keeps_jobs() const { return store_ != nullptr; }

  // Jobs that earlier servers left without an end, the first that was accepted
  // first, with `restarts` as many as died after it had begun. To be called
  // once.
  std::vector<internal::v1::KeptJob> TakeUnfinished();

  // Jobs that earlier servers ended without having their webhook taken. To be
  // called once.
  std::vector<internal::v1::KeptJob> TakeUntold();

  // To be called every second or so.
  void Sweep();

 private:
  JobArchive(const Options& options,
             std::function<void(const std::string&)> cancel,
             std::function<void(const internal::v1::KeptJob&)> moved,
             const Clock& clock, Metrics& metrics);

  // Results that could not be written. Memory may let them go meanwhile.
  struct Unwritten {
    internal::v1::KeptJob job;
    std::vector<std::weak_ptr<const v1::JobEvent>> events;
  };

  // What the book tells of, on disk.
  JobBookHooks DiskHooks(
      std::function<void(const internal::v1::KeptJob&)> moved);
  // Puts what the store has found into the book.
  void TakeOver();
  // These run on `disk_`.
  void Write(const internal::v1::KeptJob& job,
             const std::vector<EventRef>& events);
  absl::Status TryWrite(const internal::v1::KeptJob& job,
                        const std::vector<EventRef>& events);
  void WriteLater(const internal::v1::KeptJob& job,
                  const std::vector<EventRef>& events);
  // Until one still cannot be written.
  void RetryWriting();
  // A reader of a job whose results are on disk. Errors as Watch().
  absl::StatusOr<std::unique_ptr<EventReader>> Restore(
      const internal::v1::KeptJob& job, uint64_t after,
      const ReaderListener& listener);

  const Clock& clock_;
  Metrics& metrics_;
  std::unique_ptr<JobBook> book_;
  std::unique_ptr<EventLogs> logs_;     // tells the book
  std::optional<GoneJobs> gone_;        // there if `store_`, which tells it
  std::unique_ptr<ResultStore> store_;  // null: in memory only
  std::vector<internal::v1::KeptJob> unfinished_, untold_;
  std::deque<Unwritten> unwritten_;               // of the disk's thread
  absl::Time last_retry_ = absl::InfinitePast();  // likewise
  std::unique_ptr<WorkThread> disk_;  // last: its thread uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_JOB_ARCHIVE_H_
