#ifndef GENZO_SERVER_WEBHOOKS_H_
#define GENZO_SERVER_WEBHOOKS_H_

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
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "genzo/v1/jobs.pb.h"
#include "server/event_pump.h"
#include "server/https_post.h"

namespace genzo {

// Where webhooks leave what they know.
struct WebhookPlace {
  std::string backlog_file = {};  // kept when the server stops; empty: none
  Metrics* metrics = nullptr;     // outlives the object; null: not counted
};

// Tells of jobs' ends those whom the jobs name and the configuration allows, on
// threads of its own: a host that does not answer keeps only others of these
// waiting. What was not taken is sent again 1 s, 5 s, 25 s, 2 min and 10 min
// later, then given up; so is what would be the kMostWaiting-th to wait, the
// oldest first. What waits when the server stops is kept in a file, if there is
// one, for the next server, else lost; so is all that waits when the process is
// killed. Thread-safe.
class Webhooks {
 public:
  static constexpr size_t kMostWaiting = 10'000;
  static constexpr int kThreads = 4;
  using Post = std::function<absl::StatusOr<int>(const HttpsRequest&)>;

  // NOT_FOUND if the secret cannot be read, INVALID_ARGUMENT if it has less
  // than 16 bytes. `clock` outlives the object; `post` is PostHttps() but in
  // tests. Without `threads`, RunDue() is for the caller to call.
  static absl::StatusOr<std::unique_ptr<Webhooks>> Open(
      const WebhookConfig& config, const Clock& clock, Post post = PostHttps,
      int threads = kThreads, const WebhookPlace& place = {});
  // Ends the threads, then keeps what waits.
  ~Webhooks();

  // Whether a job may name `url`: OK, or INVALID_ARGUMENT/INVALID_FIELD.
  static absl::Status Check(const std::string& url,
                            const WebhookConfig& config);

  // Has the end of `job` told to `url`, which was checked. Whoever traces the
  // job finds `traceparent` in the request. Does not block.
  void Send(const std::string& url, const v1::Job& job,
            const std::string& traceparent = "") ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what is due, one after the other.
  void RunDue() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Delivery {
    HttpsTarget target;
    std::string job_id;
    std::string body;
    std::string traceparent = {};
    int attempts = 0;
  };

  Webhooks(const WebhookConfig& config, std::string secret, const Clock& clock,
           Post post, WebhookPlace place)
      : config_(config),
        secret_(std::move(secret)),
        clock_(clock),
        post_(std::move(post)),
        place_(std::move(place)) {}

  void Count(const char* result) const;
  // Takes over what an earlier server kept, and keeps what waits.
  void ReadBacklog() ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteBacklog() ABSL_LOCKS_EXCLUDED(mutex_);

  std::optional<Delivery> TakeDue() ABSL_LOCKS_EXCLUDED(mutex_);
  void AddAt(absl::Time due, Delivery delivery) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it was taken.
  bool Deliver(const Delivery& delivery) const;

  const WebhookConfig config_;
  const std::string secret_;
  const Clock& clock_;
  const Post post_;
  const WebhookPlace place_;
  absl::Mutex mutex_;
  std::multimap<absl::Time, Delivery> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t next_pump_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<EventPump>> pumps_;  // last: use the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_WEBHOOKS_H_
