#ifndef GENZO_WORKER_WEIGHTS_JSON_CONFIG_H_
#define GENZO_WORKER_WEIGHTS_JSON_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/weights/text_file.h"

namespace genzo {

// Of a picture or a latent.
struct Sides {
  static constexpr Sides Square(int64_t side) { return {side, side}; }

  int64_t height;
  int64_t width;
};

// Typed access to one of the diffusers layout's config.json files. A key that
// is missing or null has the default that the caller gives, which is the
// reference class's. The first fault is kept in status() and names file and
// key, so a whole parameter struct can be read before asking. Not thread-safe.
class JsonConfig {
 public:
  // Widths and the like are below this, numbers of layers below that: a file
  // with more is broken, and building such a network would take all memory.
  static constexpr int64_t kMaxSize = 1 << 22;
  static constexpr int64_t kMaxLayers = 256;
  // Numbers of any sense are below this, which float32 still squares.
  static constexpr double kMaxNumber = 1e9;

  // ParseJson of what Python writes: NaN, Infinity and -Infinity, which
  // published scheduler files hold, become null.
  static absl::StatusOr<nlohmann::json> Parse(const std::string& text);

  // NOT_FOUND if there is no such file, INVALID_ARGUMENT if it is no JSON
  // object or too long or too deep to be one of ours.
  static absl::StatusOr<JsonConfig> ReadFile(const TextFile& file);

  // `name` stands in messages for the file.
  JsonConfig(nlohmann::json object, std::string name)
      : object_(std::move(object)), name_(std::move(name)) {}

  bool Has(const std::string& key) const;
  bool Bool(const std::string& key, bool default_value);
  // Numbers outside [min, max] are INVALID_ARGUMENT.
  int64_t Int(const std::string& key, int64_t default_value, int64_t min = 0,
              int64_t max = kMaxSize);
  double Number(const std::string& key, double default_value,
                double min = -kMaxNumber, double max = kMaxNumber);
  std::optional<double> OptionalNumber(const std::string& key,
                                       double min = -kMaxNumber,
                                       double max = kMaxNumber);
  std::string String(const std::string& key, const std::string& default_value);
  // What diffusers and transformers call what the file is of: `_class_name`.
  std::string ClassName(const std::string& default_value) {
    return String("_class_name", default_value);
  }
  std::vector<int64_t> Ints(const std::string& key,
                            const std::vector<int64_t>& default_value,
                            int64_t min = 1, int64_t max = kMaxSize);
  // One number for both, or the pair [height, width].
  Sides BothSides(const std::string& key, Sides default_value);
  std::vector<float> Floats(const std::string& key);
  std::vector<std::string> Strings(const std::string& key,
                                   const std::vector<std::string>& defaults);
  // A number for all of `count` blocks, or a list with one for each.
  std::vector<int64_t> IntPerBlock(const std::string& key, size_t count,
                                   int64_t default_value,
                                   int64_t max = kMaxSize);
  std::vector<bool> BoolPerBlock(const std::string& key, size_t count,
                                 bool default_value);

  // Fails with UNIMPLEMENTED unless the key is missing, null, false or `value`.
  void RequireUnset(const std::string& key);
  void RequireString(const std::string& key, const std::string& value);
  void Fail(absl::StatusCode code, const std::string& key,
            const std::string& message);

  const absl::Status& status() const { return status_; }
  const nlohmann::json& object() const { return object_; }
  const std::string& name() const { return name_; }

 private:
  // The value of `key`; null if missing.
  const nlohmann::json& At(const std::string& key) const;
  int64_t CheckedInt(const std::string& key, const nlohmann::json& value,
                     int64_t min, int64_t max);

  nlohmann::json object_;
  std::string name_;
  absl::Status status_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_JSON_CONFIG_H_
