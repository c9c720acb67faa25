#ifndef GENZO_CLIENT_JSON_PRINTER_H_
#define GENZO_CLIENT_JSON_PRINTER_H_

#include <string>

#include "client/event_printer.h"

namespace genzo {

// A JSON object a line, as protobuf writes the event, with each picture's bytes
// replaced by the `path` of its file.
class JsonPrinter : public EventPrinter {
 public:
  void Show(const v1::JobEvent& event, const std::string& path) override;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_JSON_PRINTER_H_
