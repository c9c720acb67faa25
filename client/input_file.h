#ifndef GENZO_CLIENT_INPUT_FILE_H_
#define GENZO_CLIENT_INPUT_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// The bytes of the file. NOT_FOUND if it cannot be read.
absl::StatusOr<std::string> ReadInputFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_CLIENT_INPUT_FILE_H_
