#ifndef GENZO_CLIENT_INPUT_FILE_H_
#define GENZO_CLIENT_INPUT_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// Far more than a server takes, and little enough for a device without an end.
inline constexpr size_t kMostInputBytes = size_t{256} << 20;

// The bytes of a file or a pipe. NOT_FOUND if it cannot be read,
// INVALID_ARGUMENT if there are more than kMostInputBytes.
absl::StatusOr<std::string> ReadInputFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_CLIENT_INPUT_FILE_H_
