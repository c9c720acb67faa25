#include "server/event_parts.h"

#include <algorithm>
#include <utility>

namespace genzo {
namespace {

using v1::JobEvent;

// The event's picture; null if it has none.
const v1::Picture* PictureOf(const JobEvent& event) {
  if (event.has_image()) return &event.image().picture();
  return event.has_preview() ? &event.preview().picture() : nullptr;
}

JobEvent Numbered(const JobEvent& event) {
  JobEvent part;
  part.set_job_id(event.job_id());
  part.set_sequence(event.sequence());
  return part;
}

v1::Picture WithoutBytes(const v1::Picture& picture) {
  v1::Picture slim;
  slim.set_media_type(picture.media_type());
  slim.set_width(picture.width());
  slim.set_height(picture.height());
  slim.set_size_bytes(picture.data().size());
  return slim;
}

// Never copies the bytes.
JobEvent WithoutBytes(const JobEvent& event) {
  JobEvent slim = Numbered(event);
  if (event.has_image()) {
    v1::Image& image = *slim.mutable_image();
    image.set_image_index(event.image().image_index());
    image.set_seed(event.image().seed());
    *image.mutable_picture() = WithoutBytes(event.image().picture());
  } else {
    v1::Preview& preview = *slim.mutable_preview();
    preview.set_image_index(event.preview().image_index());
    preview.set_step(event.preview().step());
    *preview.mutable_picture() = WithoutBytes(event.preview().picture());
  }
  return slim;
}

}  // namespace

EventParts::EventParts(std::shared_ptr<const JobEvent> event)
    : event_(std::move(event)) {}

std::optional<JobEvent> EventParts::Next() {
  if (event_ == nullptr) return std::nullopt;
  const v1::Picture* picture = PictureOf(*event_);
  if (picture == nullptr || picture->data().size() <= kMaxPictureInEvent) {
    JobEvent whole = *event_;
    event_.reset();
    return whole;
  }
  if (!std::exchange(begun_, true)) return WithoutBytes(*event_);
  JobEvent part = Numbered(*event_);
  v1::Chunk& chunk = *part.mutable_chunk();
  chunk.set_offset(offset_);
  chunk.set_data(picture->data().substr(offset_, kChunkBytes));
  offset_ += chunk.data().size();
  if (offset_ == picture->data().size()) event_.reset();
  return part;
}

}  // namespace genzo
