#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_PARTS_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_PARTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "worker/weights/single_file/name_rules.h"
#include "worker/weights/single_file/single_file.h"

// Which components lie in a file of tensors, where, and under what names.

namespace genzo {

// SD2 takes what the last layer but one says, which some files leave out.
inline constexpr int64_t kSd2Layers = 23;

// Where a class's tensors may begin in a file, and a name that each has.
struct ClassSigns {
  const char* class_name;
  std::vector<const char*> prefixes;
  std::vector<const char*> signs;
};

// Every class that a file may hold.
const std::vector<ClassSigns>& AllSigns();

// Null for others. CLIPTextModelWithProjection is one of CLIPTextModel.
const ClassSigns* SignsOf(const std::string& class_name);

// The prefix of a class's tensors, if there are any.
std::optional<std::string> FindPrefix(const ClassSigns& signs,
                                      const Entries& entries);

// Where a family's text encoders lie.
struct EncoderPlace {
  const char* family;
  const char* component;
  const char* prefix;
};
absl::Span<const EncoderPlace> EncoderPlaces();

// How the class's tensors are called, seen from those in `entries`.
NameRules RulesOf(const std::string& class_name, const Entries& entries);

// The component whose tensors begin with `prefix`; `published` says of its
// configuration what does not show. Errors name file and tensor.
absl::StatusOr<SingleFilePart> MakePart(
    const std::shared_ptr<const TensorSource>& source,
    const std::string& component, const std::string& class_name,
    const std::string& prefix, const nlohmann::json& published);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_FILE_PARTS_H_
