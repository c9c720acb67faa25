#include "base/standard_output.h"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

namespace genzo {

int EndOutput(absl::string_view program, int status) {
  errno = 0;
  std::cout.flush();
  if (std::cout.good()) return status;
  std::cerr << program << ": standard output cannot be written"
            << (errno == 0 ? "" : std::string(": ") + std::strerror(errno))
            << std::endl;
  return status == 0 ? 1 : status;
}

}  // namespace genzo
