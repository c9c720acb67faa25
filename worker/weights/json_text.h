#ifndef GENZO_WORKER_WEIGHTS_JSON_TEXT_H_
#define GENZO_WORKER_WEIGHTS_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Limits of any JSON that is read: vocabularies have megabytes, nothing real
// has more than a dozen levels. Deeper values would end the process where
// somebody copies or compares them, which is recursive.
constexpr size_t kMaxJsonBytes = 16 << 20;
constexpr int kMaxJsonDepth = 64;

// What a key of the outermost object may do.
enum class TopKeys { kMayRepeat, kAreUnique };

// Parses JSON of any origin. INVALID_ARGUMENT without a file's name if it is
// longer, deeper or other than JSON; for unique keys also if one occurs twice,
// of which otherwise the last counts.
absl::StatusOr<nlohmann::json> ParseJson(
    std::string_view text, TopKeys top_keys = TopKeys::kMayRepeat);

// What a file holds, for a message: at most 100 bytes, dots in place of the
// rest. Text that is UTF-8 stays so.
std::string Shown(const nlohmann::json& value);
std::string Shortened(std::string_view text);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_JSON_TEXT_H_
