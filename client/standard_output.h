#ifndef GENZO_CLIENT_STANDARD_OUTPUT_H_
#define GENZO_CLIENT_STANDARD_OUTPUT_H_

#include "client/status_report.h"

namespace genzo {

// Writes out what standard output holds back. `status`, or kExitFailed and a
// sentence on standard error if some of it could not be written.
ExitStatus FlushOutput(ExitStatus status);

}  // namespace genzo

#endif  // GENZO_CLIENT_STANDARD_OUTPUT_H_
