#ifndef GENZO_SERVER_ACCESS_KEY_STORE_H_
#define GENZO_SERVER_ACCESS_KEY_STORE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/api_keys.h"
#include "base/clock.h"
#include "base/watched_file.h"
#include "server/access/authenticator.h"

namespace genzo {

// The API keys of a file that may be replaced at any time. A file that cannot
// be read, or is not what it should be, leaves the keys as they were. Check()
// is thread-safe; Refresh() is for one thread at a time.
class KeyStore : public Credentials {
 public:
  // INVALID_ARGUMENT or NOT_FOUND if the file is of no use. `clock` outlives
  // the store.
  static absl::StatusOr<std::unique_ptr<KeyStore>> Open(const std::string& path,
                                                        const Clock& clock);

  absl::StatusOr<std::shared_ptr<const Grant>> Check(
      const std::string& text) const override ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes over what the file says now, if it was changed; says so in the log.
  // To be called every second or so.
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the file, as Refresh() found it, is what counts. As Refresh().
  bool in_force() const { return file_.in_force(); }

 private:
  KeyStore(const std::string& path, const Clock& clock)
      : clock_(clock), file_(path) {}
  absl::Status Take(const std::string& text) ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  WatchedFile file_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const KeyTable> table_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_ACCESS_KEY_STORE_H_
