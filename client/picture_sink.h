#ifndef GENZO_CLIENT_PICTURE_SINK_H_
#define GENZO_CLIENT_PICTURE_SINK_H_

#include <memory>

#include "base/event_assembler.h"
#include "client/event_printer.h"
#include "client/picture_files.h"
#include "client/status_report.h"

namespace genzo {

// Takes a job's events as they come: writes its pictures, shows the rest. A
// file that cannot be written does not keep the others from being written. Not
// thread-safe.
class PictureSink {
 public:
  PictureSink(PictureFiles files, std::unique_ptr<EventPrinter> printer)
      : files_(std::move(files)), printer_(std::move(printer)) {}

  void Take(v1::JobEvent message);

  // After the last event: ends the display, says on standard error what went
  // wrong with single pictures. kExitFailed if any image is missing.
  ExitStatus Finish();

 private:
  std::string Write(const v1::JobEvent& event);

  PictureFiles files_;
  std::unique_ptr<EventPrinter> printer_;
  EventAssembler assembler_;
  absl::Status preview_failure_;
  absl::Status image_failure_;
  uint32_t images_failed_ = 0;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_SINK_H_
