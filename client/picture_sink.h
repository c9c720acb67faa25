#ifndef GENZO_CLIENT_PICTURE_SINK_H_
#define GENZO_CLIENT_PICTURE_SINK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

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

  // Whether an event is complete with `message` and was shown.
  bool Take(v1::JobEvent message);

  // The call for the job was made anew, and tells its events from the start or
  // from behind seen(): none is shown twice. If the job is another one, which a
  // server makes of the same request, all of its events are.
  void Resume() { told_ = seen_; }
  // Of the last event that was complete: its sequence, its job's id.
  uint64_t seen() const { return seen_; }
  const std::string& job_id() const { return job_id_; }

  // Says on standard error what is no event's, beside what is shown.
  void Say(const std::string& text) { printer_->Say(text); }

  // After the last event: ends the display, says on standard error what went
  // wrong with single pictures. kExitFailed if any image is missing.
  ExitStatus Finish();

 private:
  std::string Write(const v1::JobEvent& event);

  PictureFiles files_;
  std::unique_ptr<EventPrinter> printer_;
  EventAssembler assembler_;
  std::string job_id_;
  uint64_t seen_ = 0;
  std::optional<uint64_t> told_;  // what Resume() leaves out
  absl::Status preview_failure_;
  absl::Status image_failure_;
  uint32_t images_failed_ = 0;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_SINK_H_
