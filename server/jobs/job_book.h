#ifndef GENZO_SERVER_JOBS_JOB_BOOK_H_
#define GENZO_SERVER_JOBS_JOB_BOOK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "genzo/internal/v1/kept_job.pb.h"
#include "server/jobs/event_logs.h"

namespace genzo {

// What becomes of a job, for whoever must do something about it. Called with
// locks held: must not block or call back.
struct JobBookHooks {
  // It waits, runs or has ended, whatever door it came through.
  std::function<void(const internal::v1::KeptJob&)> moved = nullptr;
  // After that it ended, with its events; with none if nobody may come for them
  // any more.
  std::function<void(const internal::v1::KeptJob&,
                     const std::vector<EventRef>&)>
      keep = nullptr;
};

// NOT_FOUND/JOB_EXPIRED: the results of `job`, which ended as it says, are
// gone.
absl::Status JobExpiredError(const v1::Job& job);

// What is known of this server's jobs: where each is in its life, followed from
// its events, and which request made it. Of a job whose results are gone it
// remembers for kRemembered that it was there. Holds `most_jobs` at most, but
// for those that run; of the ones that ended first and had to leave it knows as
// long, for kMostLeft times as many, that they were there and by which request
// id.
//
//   accepted ---------> ended ----------------> results gone ------> unknown
//     GetJob: running     GetJob: as it ended     JOB_EXPIRED JOB_UNKNOWN
//
// Thread-safe; its lock comes after that of EventLogs, which tells it.
class JobBook : public JobListener {
 public:
  // How long "expired" is told apart from "unknown", and a request id stands
  // for its request.
  static constexpr absl::Duration kRemembered = absl::Hours(24);
  static constexpr size_t kMostLeft = 20;

  // `clock` outlives the book.
  JobBook(size_t most_jobs, absl::Duration results_kept, const Clock& clock,
          JobBookHooks hooks);

  // A job that is about to be queued: `job` with what does not change. Its
  // create_time is filled in unless it is there.
  void Add(internal::v1::KeptJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // A job that an earlier server ended; its end_time is there.
  void AddEnded(internal::v1::KeptJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // One whose results are gone besides, since its expire_time.
  void AddGone(internal::v1::KeptJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // It was not queued after all.
  void Drop(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // The tenant's job of that id as it is now. NOT_FOUND/JOB_EXPIRED if its
  // results are gone, NOT_FOUND/JOB_UNKNOWN.
  absl::StatusOr<internal::v1::KeptJob> Get(const std::string& tenant,
                                            const std::string& id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The id and digest of the job that the request id stands for, also if its
  // results are gone.
  struct Known {
    std::string job_id;
    std::string digest;
  };
  std::optional<Known> ByRequest(const std::string& tenant,
                                 const std::string& request_id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The page of the tenant's jobs that `request` asks for. INVALID_ARGUMENT for
  // a negative size or a strange token.
  absl::StatusOr<v1::ListJobsResponse> List(
      const std::string& tenant, const v1::ListJobsRequest& request) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets what was remembered long enough. Returns the ids of jobs whose time
  // is over, or that are too many: their results are to be let go.
  std::vector<std::string> Sweep() ABSL_LOCKS_EXCLUDED(mutex_);

  void Posted(const std::string& id, const v1::JobEvent& event) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended(const std::string& id,
             const std::vector<EventRef>& events) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Forgotten(const std::string& id) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    internal::v1::KeptJob kept;
    std::map<uint32_t, uint32_t> steps = {};  // by image
    absl::Time accepted = {};                 // these by Clock::Now()
    absl::Time ended = absl::InfiniteFuture();
    absl::Time gone = absl::InfiniteFuture();  // its results
  };
  // A job that left because there were too many.
  struct Left {
    v1::Job job;  // id, request id and state
    std::string tenant;
    std::string digest;
    absl::Time accepted;
  };
  // Create time in nanoseconds and id: unique, and the newest is the last.
  using Key = std::pair<int64_t, std::string>;
  using Entries = std::map<std::string, Entry>;

  static Key KeyOf(const Entry& entry);
  Entry EndedEntry(internal::v1::KeptJob job) const;
  void AddLocked(Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FollowLocked(Entry& entry, const v1::JobEvent& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::iterator EraseLocked(Entries::iterator entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of `entries_` and `by_tenant_` alone.
  Entries::iterator RemoveLocked(Entries::iterator entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnlinkLocked(const std::string& tenant, const v1::Job& job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Its results go, its name stays.
  void LeaveLocked(Entries::iterator entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetLeftLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t most_jobs_;
  const absl::Duration results_kept_;
  const Clock& clock_;
  const JobBookHooks hooks_;
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // by job id
  std::map<std::string, std::map<Key, std::string>> by_tenant_
      ABSL_GUARDED_BY(mutex_);  // ids
  std::map<std::pair<std::string, std::string>, std::string> by_request_
      ABSL_GUARDED_BY(mutex_);  // (tenant, request id) -> job id
  std::map<std::string, Left> left_ ABSL_GUARDED_BY(mutex_);  // by job id
  std::deque<std::string> left_in_order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_JOB_BOOK_H_
