#ifndef GENZO_CLIENT_MESSAGE_JSON_H_
#define GENZO_CLIENT_MESSAGE_JSON_H_

#include "client/status_report.h"
#include "google/protobuf/message.h"

namespace genzo {

// Whether fields that are zero or empty are printed.
enum class Zeros { kLeftOut, kPrinted };

// Prints a server's answer as a line of JSON, with the protos' field names.
// kExitFailed if it cannot be JSON.
ExitStatus PrintJson(const google::protobuf::Message& message, Zeros zeros);

}  // namespace genzo

#endif  // GENZO_CLIENT_MESSAGE_JSON_H_
