#ifndef GENZO_BASE_STANDARD_OUTPUT_H_
#define GENZO_BASE_STANDARD_OUTPUT_H_

#include "absl/strings/string_view.h"

namespace genzo {

// The last that a program does: writes out what standard output holds back.
// `status`, or 1 instead of 0, with a sentence on standard error, if some of it
// could not be written.
int EndOutput(absl::string_view program, int status);

}  // namespace genzo

#endif  // GENZO_BASE_STANDARD_OUTPUT_H_
