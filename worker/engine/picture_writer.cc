#include "worker/engine/picture_writer.h"

#include <exception>
#include <utility>

#include "worker/device/exception_status.h"

namespace genzo {
namespace {

absl::StatusOr<v1::Picture> Written(const PictureWriter::Task& task) {
  auto file = EncodePicture(task.pixels, task.format, task.text);
  if (!file.ok()) return file.status();
  v1::Picture picture;
  picture.set_size_bytes(file->data.size());
  picture.set_data(std::move(file->data));
  picture.set_media_type(file->media_type);
  picture.set_width(task.pixels.width);
  picture.set_height(task.pixels.height);
  return picture;
}

absl::StatusOr<v1::Picture> Write(const PictureWriter::Task& task) {
  try {
    return Written(task);
  } catch (const std::exception&) {  // memory, mostly
    return StatusFromException("writing the picture failed");
  }
}

}  // namespace

void PictureWriter::Submit(Task task) {
  const auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return waiting_ < capacity_;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&has_room));
  ++waiting_;
  thread_.Add([this, task = std::move(task)] {
    {
      absl::MutexLock lock(&mutex_);
      --waiting_;
    }
    task.done(Write(task));
  });
}

}  // namespace genzo
