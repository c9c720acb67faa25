#ifndef GENZO_BASE_PICTURES_JPEG_TRAP_H_
#define GENZO_BASE_PICTURES_JPEG_TRAP_H_

// jpeglib.h needs what stands before it.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include "base/pictures/error_trap.h"

// What libjpeg is given to call, in a struct whose client data are an
// ErrorTrap.

namespace genzo {

inline ErrorTrap& TrapOf(j_common_ptr jpeg) {
  return *static_cast<ErrorTrap*>(jpeg->client_data);
}

[[noreturn]] inline void SpringJpeg(j_common_ptr jpeg) {
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  TrapOf(jpeg).Spring(message);
}

// Warnings go nowhere: the library would write them to standard error.
inline void IgnoreJpeg(j_common_ptr) {}

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_JPEG_TRAP_H_
