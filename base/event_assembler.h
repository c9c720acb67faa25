#ifndef GENZO_BASE_EVENT_ASSEMBLER_H_
#define GENZO_BASE_EVENT_ASSEMBLER_H_

#include <optional>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Puts pictures that come in `chunk` events back into their events. Not
// thread-safe.
class EventAssembler {
 public:
  // Takes the next message of a stream. Returns the event that is complete with
  // it; nullopt while its picture is not. A picture whose chunks do not follow
  // it in order, or have more bytes than it has, never comes out.
  std::optional<v1::JobEvent> Add(v1::JobEvent event);

 private:
  v1::JobEvent open_;  // a preview or an image that lacks bytes, or nothing
};

// The picture in a preview or an image event; null in any other.
v1::Picture* PictureOf(v1::JobEvent& event);

}  // namespace genzo

#endif  // GENZO_BASE_EVENT_ASSEMBLER_H_
