#include "client/picture_sink.h"

#include <iostream>

#include "base/utf8.h"

namespace genzo {

bool PictureSink::Take(v1::JobEvent message) {
  const auto event = assembler_.Add(std::move(message));
  if (!event.has_value()) return false;
  if (event->job_id() != job_id_) {
    job_id_ = event->job_id();
    told_.reset();
    images_failed_ = 0;
  }
  if (told_.has_value() && event->sequence() <= *told_) return false;
  seen_ = event->sequence();
  if (event->has_image_failed()) ++images_failed_;
  printer_->Show(*event, Write(*event));
  return true;
}

std::string PictureSink::Write(const v1::JobEvent& event) {
  if (!event.has_preview() && !event.has_image()) return "";
  const auto path = event.has_preview() ? files_.Write(event.preview())
                                        : files_.Write(event.image());
  if (path.ok()) return *path;
  (event.has_preview() ? preview_failure_ : image_failure_)
      .Update(path.status());
  return "(not written)";
}

ExitStatus PictureSink::Finish() {
  printer_.reset();
  for (const absl::Status& failure : {preview_failure_, image_failure_}) {
    if (failure.ok()) continue;
    std::cerr << "genzo: " << Printable(failure.message()) << std::endl;
  }
  if (images_failed_ > 0) {
    std::cerr << "genzo: " << images_failed_ << " images failed" << std::endl;
  }
  return image_failure_.ok() && images_failed_ == 0 ? kExitOk : kExitFailed;
}

}  // namespace genzo
