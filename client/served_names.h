#ifndef GENZO_CLIENT_SERVED_NAMES_H_
#define GENZO_CLIENT_SERVED_NAMES_H_

#include <chrono>
#include <string>
#include <vector>

namespace genzo {

// What only a server can name.
enum class NameKind {
  kModel,
  kLora,
  kJob,
  kLiveJob,  // queued or running
  kUpscaler,
  kScorer,
};

// The names of that kind that `server` knows, at most a thousand, for somebody
// who types: none if it is not there, refuses, or takes longer than `patience`.
// Adapters are named as `--lora` reads them.
std::vector<std::string> ServedNames(
    const std::string& server, NameKind kind,
    std::chrono::milliseconds patience = std::chrono::milliseconds(500));

}  // namespace genzo

#endif  // GENZO_CLIENT_SERVED_NAMES_H_
