#ifndef GENZO_SERVER_JOB_ARCHIVE_H_
#define GENZO_SERVER_JOB_ARCHIVE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "server/event_logs.h"
#include "server/event_pump.h"
#include "server/job_book.h"
#include "server/result_store.h"

namespace genzo {

// Where jobs are found again: their events (EventLogs), what is known of them
// (JobBook) and, if the configuration names a folder, both on disk
// (ResultStore). Writing is done by a thread of its own; results stay in memory
// until they are on disk, and altogether if they cannot be written. Reading
// results back is done by who asks for them.
//
// A job that Keep() was called for is begun anew by the next server if this one
// stops before its end, or dies, up to kMostRestarts times: perhaps of the job.
//
// Thread-safe.
class JobArchive {
 public:
  static constexpr uint32_t kMostRestarts = 2;

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
  ~JobArchive();

  EventLogs& logs() { return *logs_; }
  JobBook& book() { return *book_; }

  // Makes the job that the file's request id stands for, if its results are on
  // disk only, one that `logs()` finds. ALREADY_EXISTS/REQUEST_ID_IN_USE if it
  // stands for another request, NOT_FOUND/JOB_EXPIRED if its results are gone.
  absl::Status FindAgain(const JobFile& file);

  // A reader of the tenant's job, as EventLogs::Watch().
  // NOT_FOUND/JOB_EXPIRED, NOT_FOUND/JOB_UNKNOWN.
  absl::StatusOr<std::unique_ptr<EventReader>> Watch(
      const std::string& tenant, const std::string& id, uint64_t after,
      const ReaderListener& listener);

  // Calls `done` once `job`, which was queued as `queued`, is on disk, so that
  // a server to come does it if this one does not, or has ended; at once if
  // there is no folder. UNAVAILABLE/NOT_KEPT with RetryInfo, and the log says
  // why, if it cannot be written.
  void Keep(internal::v1::KeptJob job, internal::v1::Job queued,
            std::function<void(const absl::Status&)> done);

  // Jobs that earlier servers left without an end, with `restarts` as many as
  // have died since. To be called once.
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

  // Puts what the store has found into the book.
  void TakeOver();
  void Write(internal::v1::KeptJob job, std::vector<EventRef> events);
  // Makes a job whose results are on disk one that `logs_` finds.
  absl::Status Restore(const internal::v1::KeptJob& job);

  const Clock& clock_;
  std::unique_ptr<JobBook> book_;
  std::unique_ptr<EventLogs> logs_;     // tells the book
  std::unique_ptr<ResultStore> store_;  // null: in memory only
  std::vector<internal::v1::KeptJob> unfinished_, untold_;
  std::unique_ptr<EventPump> disk_;  // last: its thread uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOB_ARCHIVE_H_
