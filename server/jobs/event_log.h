#ifndef GENZO_SERVER_JOBS_EVENT_LOG_H_
#define GENZO_SERVER_JOBS_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/metrics.h"
#include "genzo/v1/image_generation.pb.h"
#include "server/jobs/held_bytes.h"

namespace genzo {

using EventRef = std::shared_ptr<const v1::JobEvent>;

// What is to be called once a lock is free.
using Calls = std::vector<std::function<void()>>;

// A job as its events are filed. A job with a request id can be found again
// by it.
struct JobFile {
  std::string job_id = {};
  std::string tenant = {};
  std::string request_id = {};  // empty: nobody comes back for it
  std::string digest = {};  // of the request, to tell another with the same id
  bool goes_on = false;     // when its last reader leaves
  bool is_kept = false;     // after its end, with or without an image
  std::string traceparent = {};  // of the job, see internal::v1::Job
};

// What a reader hears. Both must not block, may come from any thread, and may
// come once more just after the reader is gone.
struct ReaderListener {
  std::function<void()> event = {};     // Next() has something
  std::function<void()> given_up = {};  // it took nothing for too long
};

// What is held of one job's events, and how far each of its readers is. An
// event takes the place of the one that it makes worthless; what all readers
// have had goes, unless the log is kept; what is being delivered stays until it
// is. A log weighs the bytes of its pictures, which it gives back with its end.
// Not thread-safe: EventLogs has the lock.
class EventLog {
 public:
  // `held` and `metrics` outlive the log.
  EventLog(const JobFile& file, absl::Time now, HeldBytes& held,
           Metrics& metrics)
      : file_(file),
        held_(held),
        metrics_(metrics),
        accepted_(now),
        read_since_(now) {}
  ~EventLog() { held_.Add(file_.tenant, -bytes_); }
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // --- events

  // Adds what the pool says. Not after the end.
  void Add(v1::JobEvent event, absl::Time now);
  // Adds an end that the pool does not tell, after all that was posted.
  void End(const absl::Status& why, absl::Time now);
  // The same in place of what is held, of a job that may have ended: then its
  // readers have this end, and it has its own. Hides it.
  void CutOff(const absl::Status& why, absl::Time now);
  // Puts back what was kept elsewhere of a job that ended at `ended`.
  void Refill(const std::vector<EventRef>& events, absl::Time ended);

  // Lets what was added last go again.
  void DropLast();
  // It has become too large to be kept for who may send the request again.
  void StopKeeping();
  // Nobody may find it any more.
  void Hide() { hidden_ = true; }
  void NoteElsewhere() { elsewhere_ = true; }

  // --- readers

  // From what comes after `after` on, and in any case for the end.
  void AddReader(int64_t number, uint64_t after, const ReaderListener& listener,
                 absl::Time now);
  void RemoveReader(int64_t number);
  // The next event for the reader, which has had the one before; null if there
  // is none now.
  EventRef Next(int64_t number, absl::Time now);
  // Tells all readers but one that there is something.
  void TellReaders(Calls& calls, int64_t but = 0) const;
  // Tells those that have taken nothing since `since`, once.
  void GiveUpReaders(absl::Time since, Calls& calls);

  // --- how it stands

  const JobFile& file() const { return file_; }
  const std::deque<EventRef>& events() const { return events_; }
  bool has_readers() const { return !readers_.empty(); }
  bool has_ended() const { return ended_ < absl::InfiniteFuture(); }
  absl::Time accepted() const { return accepted_; }
  absl::Time ended() const { return ended_; }
  absl::Time read_since() const { return read_since_; }
  int64_t bytes() const { return bytes_; }
  int images() const { return images_; }
  bool is_hidden() const { return hidden_; }
  bool is_elsewhere() const { return elsewhere_; }
  // Whether somebody may still come for what every reader has had.
  bool IsKept() const;
  // Whether it holds pictures that nobody is just being given.
  bool CanFree() const;

 private:
  using Events = std::deque<EventRef>;

  struct Reader {
    ReaderListener listener = {};
    uint64_t read = 0;        // sequence of the last event that was delivered
    EventRef in_flight = {};  // the one that is being delivered
    absl::Time since = {};    // when it last asked, or came
    bool given_up = false;
  };

  EventRef EndOf(const absl::Status& why) const;
  bool IsInFlight(const EventRef& event) const;
  void Append(EventRef event);
  Events::iterator Erase(Events::iterator event);
  // Removes what `event` overtakes.
  void Overtake(const v1::JobEvent& event);
  // Removes what was delivered and that nobody comes for.
  void Trim();

  const JobFile file_;
  HeldBytes& held_;
  Metrics& metrics_;
  const absl::Time accepted_;
  absl::Time read_since_;  // when a reader last took something
  absl::Time ended_ = absl::InfiniteFuture();
  Events events_;      // by sequence; those in flight are among them
  int64_t bytes_ = 0;  // of their pictures
  int images_ = 0;
  std::map<int64_t, Reader> readers_;  // by number
  bool hidden_ = false;                // not to be found any more
  bool elsewhere_ = false;             // kept there too
  bool too_large_ = false;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_EVENT_LOG_H_
