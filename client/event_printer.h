#ifndef GENZO_CLIENT_EVENT_PRINTER_H_
#define GENZO_CLIENT_EVENT_PRINTER_H_

#include <memory>
#include <string>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Shows a job's events. One of: JSON lines, plain lines, a terminal that
// refines in place. Not thread-safe.
class EventPrinter {
 public:
  virtual ~EventPrinter() = default;

  // `path` is the file of a preview or an image, else empty.
  virtual void Show(const v1::JobEvent& event, const std::string& path) = 0;

  // Says on standard error what is no event's.
  virtual void Say(const std::string& text);
};

// What the caller knows of its output.
struct PrinterOptions {
  bool json = false;
  bool art = true;  // half-block pictures, where standard output can show them
  uint32_t image_count = 1;
  bool enlarges = false;  // the job makes a sent picture larger
};

// The printer that suits `options` and standard output.
std::unique_ptr<EventPrinter> MakeEventPrinter(const PrinterOptions& options);

}  // namespace genzo

#endif  // GENZO_CLIENT_EVENT_PRINTER_H_
