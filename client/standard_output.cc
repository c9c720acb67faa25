#include "client/standard_output.h"

#include <cerrno>
#include <cstring>
#include <iostream>

namespace genzo {

ExitStatus FlushOutput(ExitStatus status) {
  errno = 0;
  std::cout.flush();
  if (std::cout.good()) return status;
  std::cerr << "genzo: standard output cannot be written"
            << (errno == 0 ? "" : std::string(": ") + std::strerror(errno))
            << std::endl;
  return status == kExitOk ? kExitFailed : status;
}

}  // namespace genzo
