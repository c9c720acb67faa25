#ifndef GENZO_SERVER_JOBS_EVENT_LOGS_H_
#define GENZO_SERVER_JOBS_EVENT_LOGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "queue/event_sink.h"
#include "server/jobs/event_log.h"
#include "server/jobs/held_bytes.h"
#include "server/jobs/stream_shares.h"

namespace genzo {

class EventLogs;

// Hears of all filed jobs. Called with the logs' lock held, and maybe others:
// must not block or call back.
class JobListener {
 public:
  virtual ~JobListener() = default;

  // An event of the job was filed.
  virtual void Posted(const std::string& job_id, const v1::JobEvent& event) = 0;
  // After Posted() of the end: all that is filed of the job; nothing if nobody
  // may come for it any more.
  virtual void Ended(const std::string& job_id,
                     const std::vector<EventRef>& events) = 0;
  // Nothing is filed of it any more, here or elsewhere.
  virtual void Forgotten(const std::string& job_id) = 0;
};

// One reader's place in the events of a job. Next() is for one thread at a
// time; destroying it leaves the job.
class EventReader {
 public:
  // Leaves. A job that has no reader then and does not go on is cancelled.
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // The next event, null if there is none now. Asking is telling that the one
  // before was delivered. `ended` is the last one.
  EventRef Next();

  const std::string& job_id() const { return job_id_; }
  // Empty if nobody traces the job.
  const std::string& traceparent() const { return traceparent_; }

 private:
  friend class EventLogs;
  EventReader(EventLogs& logs, const JobFile& file, int64_t number)
      : logs_(logs),
        job_id_(file.job_id),
        traceparent_(file.traceparent),
        number_(number) {}

  EventLogs& logs_;
  const std::string job_id_;
  const std::string traceparent_;
  const int64_t number_;
};

// The events of this process's jobs between the pool, which posts them, and
// their readers. Of each job (EventLog) it holds the latest `queued`, and the
// latest `progress` and `preview` of each image; it holds `started`, `image`,
// `image_failed` and `ended` until they are delivered. A job with a request id
// is held as a whole, so that a reader who comes later gets all that again,
// until `results_kept` after its end; without an image, only until its end. So
// is one that `is_kept`, whatever its end.
//
// Bytes of pictures are bounded for a job, a tenant and all together. Where a
// bound is passed, the first that helps is done: the preview that came last is
// dropped; a job that has ended and has no reader is forgotten, oldest first;
// the job that has waited longest for its reader loses what it holds, and its
// readers get RESOURCE_EXHAUSTED/READER_TOO_SLOW as its end, which it is unless
// the job has ended. A reader that takes nothing for
// `reader_timeout` while something waits for it is given up.
//
//   Example: tenant_bytes is 64 MB and a tenant has three jobs: A ended, its
//   pictures (30 MB) read but kept; B's reader is suspended, 20 MB wait; C is
//   read as it comes. C's next image of 16 MB passes the bound: A is forgotten.
//   Later C has 20 MB that its reader has begun to take and gets 30 MB more: B
//   ends, because its reader took nothing for longer.
//
// Thread-safe. Under its lock are the metrics' and the listener's alone: Post()
// may come with any lock held.
class EventLogs {
 public:
  // `cancel` is given a job's id when nobody wants the job any more; called
  // with no lock of ours, by the thread that destroys a reader or that sweeps.
  // `clock`, `metrics` and `listener`, if there is one, outlive this object;
  // every reader dies before it.
  EventLogs(const DeliveryLimits& limits,
            std::function<void(const std::string&)> cancel, const Clock& clock,
            Metrics& metrics, JobListener* listener = nullptr);

  // Files a job, or finds the one that `file` names by its request id, and
  // gives it a reader. `is_new` says which; a new one is to be submitted with
  // SinkOf(), or dropped. ALREADY_EXISTS/REQUEST_ID_IN_USE for the same id with
  // another digest, RESOURCE_EXHAUSTED/TOO_MANY_STREAMS with RetryInfo.
  struct Opened {
    std::unique_ptr<EventReader> reader;
    bool is_new = true;
  };
  absl::StatusOr<Opened> Open(const JobFile& file,
                              const ReaderListener& listener)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // As Open(), for a job that nobody reads yet: it goes on until its last
  // reader has come and gone.
  struct Filed {
    std::string job_id;
    bool is_new = true;
  };
  absl::StatusOr<Filed> File(const JobFile& file) ABSL_LOCKS_EXCLUDED(mutex_);

  // A reader of what comes after sequence `after` of a job that is filed, and
  // in any case of its end; NOT_FOUND, without a reason, if it is not filed.
  // Errors otherwise as Open().
  absl::StatusOr<std::unique_ptr<EventReader>> Watch(
      const std::string& job_id, uint64_t after, const ReaderListener& listener)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // As Watch(), of a job that ended at `ended` and whose `events` are kept
  // elsewhere too: it is filed again, if it is not, for as long as somebody
  // reads it. RESOURCE_EXHAUSTED/RESULTS_BUSY with RetryInfo where the bounds
  // have no room for it, which takes nobody else's; UNAVAILABLE/RESULTS_BUSY
  // while a reader that was too slow has to go.
  absl::StatusOr<std::unique_ptr<EventReader>> Restore(
      const JobFile& file, const std::vector<EventRef>& events,
      absl::Time ended, uint64_t after, const ReaderListener& listener)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What is filed of the job, which ended, is now kept elsewhere too: it is let
  // go as soon as nobody reads it.
  void KeptElsewhere(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the job is filed and can be found.
  bool Has(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Where the events of the job go. Outlived by this object; events of a job
  // that is not filed any more are dropped. `after` is added to sequences.
  std::shared_ptr<EventSink> SinkOf(const std::string& job_id,
                                    uint64_t after = 0);

  // Forgets a job that was not submitted because of `why`, or that has ended.
  // Its readers stay valid; those but `opener`, who is told otherwise, get
  // `why` as the job's end.
  void Drop(const std::string& job_id, const absl::Status& why,
            const EventReader* opener = nullptr) ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets what was kept long enough and gives up readers and jobs that were
  // waited for too long. To be called every second or so.
  void Sweep() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class EventReader;
  class Sink;
  using Logs = std::map<std::string, EventLog>;  // by job id

  absl::StatusOr<Filed> FileLocked(const JobFile& file)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::unique_ptr<EventReader> AttachLocked(const std::string& job_id,
                                            uint64_t after,
                                            const ReaderListener& listener)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Files what was kept elsewhere, for a reader who is to come at once.
  absl::Status RefileLocked(const JobFile& file,
                            const std::vector<EventRef>& events,
                            absl::Time ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Post(const std::string& job_id, v1::JobEvent event)
      ABSL_LOCKS_EXCLUDED(mutex_);
  EventRef Next(const std::string& job_id, int64_t reader)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& job_id, int64_t reader)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the listener of the event that came last, and the log file of an end.
  void TellLastLocked(const EventLog& log, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After an event was added to `log`.
  void KeepBoundsLocked(EventLog& log, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets or ends one job of `tenant`, or of any if it is null; false if none
  // holds anything.
  bool FreeSomeLocked(const std::string* tenant, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a job, or what its readers have of one that has ended, in place of
  // what it holds.
  void EndTooSlowLocked(EventLog& log, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // It is found by its request id no more.
  void UnlinkLocked(const EventLog& log) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Logs::iterator ForgetLocked(Logs::iterator log)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DeliveryLimits limits_;
  const std::function<void(const std::string&)> cancel_;
  const Clock& clock_;
  Metrics& metrics_;
  JobListener* const listener_;  // may be null
  mutable absl::Mutex mutex_;
  HeldBytes held_ ABSL_GUARDED_BY(mutex_);
  StreamShares streams_ ABSL_GUARDED_BY(mutex_);
  Logs logs_ ABSL_GUARDED_BY(mutex_);  // give back to `held_`
  std::map<std::pair<std::string, std::string>, std::string> by_request_
      ABSL_GUARDED_BY(mutex_);  // (tenant, request id) -> job id
  int64_t next_reader_ ABSL_GUARDED_BY(mutex_) = 1;
  // Ended by us; the next sweep cancels them, as a Post() may hold locks.
  std::vector<std::string> to_cancel_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_EVENT_LOGS_H_
