#ifndef GENZO_SERVER_JOBS_EVENT_PARTS_H_
#define GENZO_SERVER_JOBS_EVENT_PARTS_H_

#include <cstddef>
#include <memory>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Pictures above this leave their event and follow in chunks of so many bytes.
constexpr size_t kMaxPictureInEvent = 3 << 20;
constexpr size_t kChunkBytes = 1 << 20;

// The messages that carry one event to a client: the event itself, or, if its
// picture is large, the event without the picture's bytes and then `chunk`
// events of the same sequence with them. Not thread-safe.
class EventParts {
 public:
  // Without any part.
  EventParts() = default;
  explicit EventParts(std::shared_ptr<const v1::JobEvent> event);

  // The next part, which is the event itself if it goes in one; null after the
  // last.
  std::shared_ptr<const v1::JobEvent> Next();

 private:
  std::shared_ptr<const v1::JobEvent> event_;  // null: no part is left
  bool begun_ = false;
  size_t offset_ = 0;  // of the picture's bytes that were handed out
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_EVENT_PARTS_H_
