#include "base/event_assembler.h"

#include <utility>

namespace genzo {

v1::Picture* PictureOf(v1::JobEvent& event) {
  if (event.has_image()) return event.mutable_image()->mutable_picture();
  if (event.has_preview()) return event.mutable_preview()->mutable_picture();
  return nullptr;
}

std::optional<v1::JobEvent> EventAssembler::Add(v1::JobEvent event) {
  if (!event.has_chunk()) {
    open_.Clear();
    const v1::Picture* picture = PictureOf(event);
    if (picture == nullptr || picture->data().size() >= picture->size_bytes()) {
      return event;
    }
    open_ = std::move(event);
    return std::nullopt;
  }
  v1::Picture* picture = PictureOf(open_);
  if (picture == nullptr || event.chunk().offset() != picture->data().size()) {
    open_.Clear();
    return std::nullopt;
  }
  picture->mutable_data()->append(event.chunk().data());
  if (picture->data().size() < picture->size_bytes()) return std::nullopt;
  const bool fits = picture->data().size() == picture->size_bytes();
  v1::JobEvent whole = std::exchange(open_, {});
  return fits ? std::optional(std::move(whole)) : std::nullopt;
}

}  // namespace genzo
