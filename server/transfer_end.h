#ifndef GENZO_SERVER_TRANSFER_END_H_
#define GENZO_SERVER_TRANSFER_END_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace genzo {

// When the transfers of somebody end who is not to wait for whom he calls any
// more: a collector or receiver that says nothing would keep a server that
// stops. Thread-safe.
class TransferEnd {
 public:
  // At `time`, by the real clock, those under way are broken off and none
  // begins any more. Of several times the earliest counts.
  void EndBy(absl::Time time) ABSL_LOCKS_EXCLUDED(mutex_);
  bool is_over() const ABSL_LOCKS_EXCLUDED(mutex_);

  // As curl_easy_perform() of `easy`, a handle of libcurl's. UNAVAILABLE if
  // there was no answer: "broken off" if that is because of the end.
  absl::Status Perform(void* easy) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  absl::Time end_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace genzo

#endif  // GENZO_SERVER_TRANSFER_END_H_
