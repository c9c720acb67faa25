#include "server/jobs/event_parts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "google/protobuf/util/field_mask_util.h"

namespace genzo {
namespace {

using google::protobuf::FieldMask;
using google::protobuf::util::FieldMaskUtil;
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

// All that an Image or a Preview has but the bytes of its picture, also what
// will be added to them.
template <typename Shown>
const FieldMask& AllButBytes() {
  static const auto* const mask = [] {
    auto* paths = new FieldMask;
    const auto add = [&](const google::protobuf::Descriptor& message,
                         const std::string& prefix, const std::string& but) {
      for (int i = 0; i < message.field_count(); ++i) {
        const std::string& name = message.field(i)->name();
        if (name != but) paths->add_paths(prefix + name);
      }
    };
    add(*Shown::descriptor(), "", "picture");
    add(*v1::Picture::descriptor(), "picture.", "data");
    return paths;
  }();
  return *mask;
}

// Never copies the bytes.
template <typename Shown>
void CopyWithoutBytes(const Shown& from, Shown& to) {
  FieldMaskUtil::MergeMessageTo(from, AllButBytes<Shown>(), {}, &to);
  to.mutable_picture()->set_size_bytes(from.picture().data().size());
}

JobEvent WithoutBytes(const JobEvent& event) {
  JobEvent slim = Numbered(event);
  if (event.has_image()) {
    CopyWithoutBytes(event.image(), *slim.mutable_image());
  } else {
    CopyWithoutBytes(event.preview(), *slim.mutable_preview());
  }
  return slim;
}

}  // namespace

EventParts::EventParts(std::shared_ptr<const JobEvent> event)
    : event_(std::move(event)) {}

std::shared_ptr<const JobEvent> EventParts::Next() {
  if (event_ == nullptr) return nullptr;
  const v1::Picture* picture = PictureOf(*event_);
  if (picture == nullptr || picture->data().size() <= kMaxPictureInEvent) {
    return std::exchange(event_, nullptr);
  }
  if (!std::exchange(begun_, true)) {
    return std::make_shared<const JobEvent>(WithoutBytes(*event_));
  }
  JobEvent part = Numbered(*event_);
  v1::Chunk& chunk = *part.mutable_chunk();
  chunk.set_offset(offset_);
  chunk.set_data(picture->data().substr(offset_, kChunkBytes));
  offset_ += chunk.data().size();
  if (offset_ == picture->data().size()) event_.reset();
  return std::make_shared<const JobEvent>(std::move(part));
}

}  // namespace genzo
