#ifndef GENZO_SERVER_JOBS_WEBHOOKS_H_
#define GENZO_SERVER_JOBS_WEBHOOKS_H_

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
#include "base/work_thread.h"
#include "genzo/v1/jobs.pb.h"
#include "server/jobs/https_post.h"
#include "server/transfer_end.h"

namespace genzo {

// Whom webhooks tell of themselves.
struct WebhookHooks {
  // That nothing more will be sent of a job: somebody took it, or it is given
  // up. May wait for the disk: called on their threads, of which Send() is none
  // unless there are no others. Null: nobody.
  std::function<void(const std::string& job_id)> settled = nullptr;
  Metrics* metrics = nullptr;  // outlives the object; null: not counted
};

// Tells of jobs' ends those whom the jobs name and the configuration allows, on
// threads of its own. A host that does not answer has kMostOfAHost of them at
// most, so that the others hear at once. What was not taken is sent again 1 s,
// 5 s, 25 s, 2 min and 10 min later, then given up; so is what would be the
// kMostWaiting-th to wait, what was tried most often first. All of it is in
// memory: who keeps jobs on disk sends again what was not settled. The secret
// is read anew for every delivery. What is due when it ends is sent for
// kLastPosts. Thread-safe.
class Webhooks {
 public:
  static constexpr size_t kMostWaiting = 10'000;
  static constexpr int kThreads = 4;
  static constexpr int kMostOfAHost = 2;
  static constexpr absl::Duration kLastPosts = absl::Seconds(1);
  using Post = std::function<absl::StatusOr<int>(const HttpsRequest&)>;

  // NOT_FOUND if the secret cannot be read, INVALID_ARGUMENT if it has less
  // than 16 bytes. `clock` outlives the object; `post` is PostHttps() but in
  // tests. Without `threads`, RunDue() is for the caller to call.
  static absl::StatusOr<std::unique_ptr<Webhooks>> Open(
      const WebhookConfig& config, const Clock& clock, Post post = PostHttps,
      int threads = kThreads, WebhookHooks hooks = {});
  ~Webhooks();

  // Whether a job may name `url`: OK, or INVALID_ARGUMENT/INVALID_FIELD.
  static absl::Status Check(const std::string& url,
                            const WebhookConfig& config);

  // Has the end of `job` told to `url`, given up at once if it is not allowed
  // (any more). Whoever traces the job finds `traceparent` in the request.
  // Waits for nothing: locks may be held.
  void Send(const std::string& url, const v1::Job& job,
            const std::string& traceparent = "") ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is sent after `time`, of the real clock: what is under way then is
  // broken off, and waits, as it did before.
  void EndBy(absl::Time time) { end_.EndBy(time); }

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
           Post post, WebhookHooks hooks)
      : config_(config),
        clock_(clock),
        post_(std::move(post)),
        hooks_(std::move(hooks)),
        secret_(std::move(secret)) {}

  void Count(const char* result) const;
  void Settle(const std::string& job_id, const char* result) const;
  void GiveUp(const std::string& job_id, const char* why) const;
  // The same for whoever must not wait.
  void GiveUpSoon(const std::string& job_id, const char* why)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The thread whose turn it is; null without any.
  WorkThread* NextThread() ABSL_LOCKS_EXCLUDED(mutex_);

  // The first that is due and whose host has a thread left, which it then has
  // until Done().
  std::optional<Delivery> TakeDue() ABSL_LOCKS_EXCLUDED(mutex_);
  void Done(const std::string& host) ABSL_LOCKS_EXCLUDED(mutex_);
  // The job whose webhook is to be given up for it; nullopt if there is room.
  std::optional<std::string> AddAt(absl::Time due, Delivery delivery)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it was taken.
  bool Deliver(const Delivery& delivery);
  // What the file says now, or last said.
  std::string Secret() ABSL_LOCKS_EXCLUDED(mutex_);

  const WebhookConfig config_;
  const Clock& clock_;
  const Post post_;
  const WebhookHooks hooks_;
  TransferEnd end_;
  absl::Mutex mutex_;
  std::string secret_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, Delivery> waiting_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> threads_of_ ABSL_GUARDED_BY(mutex_);  // by host
  size_t next_thread_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<WorkThread>> threads_;  // last: use the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_WEBHOOKS_H_
