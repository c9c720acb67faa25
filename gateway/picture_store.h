#ifndef GENZO_GATEWAY_PICTURE_STORE_H_
#define GENZO_GATEWAY_PICTURE_STORE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"

namespace genzo {

// HMAC-SHA256 of `text` with `key`, in hexadecimal. Pure.
std::string HmacHex(const std::string& key, const std::string& text);
// Whether both are equal, in time that does not tell where they differ.
bool SameSecret(const std::string& a, const std::string& b);
// `bytes` random bytes in hexadecimal, fit for a secret.
std::string RandomHex(int bytes);

// Finished pictures behind links that anybody may follow who was given one,
// until they expire. A link names a random id and its end, and is signed, so
// that neither can be changed. Pictures are in memory: those of a process that
// ended are gone. Thread-safe.
class PictureStore {
 public:
  struct Limits {
    int64_t max_bytes = int64_t{256} << 20;  // beyond, the oldest go first
    absl::Duration kept = absl::Minutes(60);
  };
  struct Picture {
    std::shared_ptr<const std::string> bytes;
    std::string media_type;
    absl::Time expires;  // as Date() has it
  };

  PictureStore(std::string key, const Limits& limits, const Clock& clock)
      : key_(std::move(key)), limits_(limits), clock_(clock) {}

  // The name and query of its link: "ID.png?expires=SECONDS&signature=HEX".
  std::string Keep(std::string bytes, const std::string& media_type);

  // PERMISSION_DENIED if the link was changed, NOT_FOUND if its time has passed
  // or the picture had to make room.
  absl::StatusOr<Picture> Find(const std::string& name,
                               const std::string& expires,
                               const std::string& signature) const;

 private:
  std::string Sign(const std::string& name, const std::string& expires) const;
  void DropOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string key_;
  const Limits limits_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::list<std::string> names_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  absl::flat_hash_map<std::string, Picture> pictures_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_PICTURE_STORE_H_
