#ifndef GENZO_GATEWAY_JSON_BODY_H_
#define GENZO_GATEWAY_JSON_BODY_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/errors.h"
#include "gateway/field_names.h"
#include "gateway/place.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Deeper values would end the process where somebody copies them, which is
// recursive.
constexpr int kMaxBodyDepth = 32;
// An entry takes many times its bytes where it is read.
constexpr size_t kMaxListEntries = 64;
// Of whole numbers that go into a uint32; the service's limits are lower.
constexpr uint32_t kMaxCount = UINT32_MAX;

// A request's body, which must be JSON. INVALID_ARGUMENT if it is nested deeper
// than kMaxBodyDepth, has a key of its outermost object twice, or is anything
// else. Pure.
absl::StatusOr<nlohmann::json> ParseJsonBody(absl::string_view text);
// The same of one that must be an object.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text);

// Reads the fields of an object by name and remembers every fault, each with
// the field, its value and the limit. null is as if the field were not there.
// Not thread-safe; `object` outlives it.
class FieldReader {
 public:
  // Forms have texts only: kMayBeText takes "3" for a number.
  enum class Values { kAreTyped, kMayBeText };
  explicit FieldReader(const nlohmann::json& object,
                       Values values = Values::kAreTyped)
      : object_(object), values_(values) {}
  // Of an object inside that of `outer`. Faults say where it is: "controls[0]"
  // before ".image".
  FieldReader(const FieldReader& outer, const nlohmann::json& object,
              const std::string& place)
      : object_(object),
        values_(outer.values_),
        place_(Inside(outer.place_, place)) {}

  std::optional<std::string> Text(const std::string& name);
  std::optional<int64_t> Whole(const std::string& name, int64_t min,
                               int64_t max);
  // From 0 to what 64 bits hold; nullopt for -1 too, which is many clients'
  // word for "draw one".
  std::optional<uint64_t> Seed(const std::string& name);
  std::optional<double> Number(const std::string& name, double min, double max);
  std::optional<bool> Truth(const std::string& name);
  // One of `choices`, which begin with the default.
  std::string Choice(const std::string& name,
                     const std::vector<std::string>& choices);
  // Null if it is not there, or is a fault.
  const nlohmann::json* Object(const std::string& name);
  const nlohmann::json* List(const std::string& name);
  // Whatever it is; null if it is not there.
  const nlohmann::json* Any(const std::string& name);

  // nullopt if `value` is no whole number.
  std::optional<absl::int128> WholeOf(const nlohmann::json& value) const;
  // False and a fault where `value`, the field's, is something else.
  bool IsObject(const std::string& name, const nlohmann::json& value);
  bool IsList(const std::string& name, const nlohmann::json& value);
  // False and a fault where `list`, the field's value, has more entries than
  // kMaxListEntries.
  bool HasRoomFor(const std::string& name, const nlohmann::json& list);
  void Fail(const std::string& name, const std::string& description);
  // What reading `name` as a message found, or if it is "" this object: the
  // faults of `status` at their places inside.
  void FailInside(const std::string& name, const absl::Status& status);
  // Takes over the faults of a reader of something inside.
  void Add(const FieldReader& inner);
  // Remembers a fault for every field that was not asked for, with the one that
  // may have been meant: by `names` if it is called as in the proto, else by
  // what it is near to.
  void RefuseTheRest(const FieldNames& names = {});
  // INVALID_ARGUMENT/INVALID_FIELD with all faults, or OK.
  absl::Status status() const;

 private:
  // Where the field is, from the outermost object on.
  std::string PathOf(const std::string& name) const {
    return Inside(place_, name);
  }
  std::string HintFor(const std::string& name, const FieldNames& names) const;

  const nlohmann::json& object_;
  const Values values_;
  const std::string place_;
  std::set<std::string> known_;
  std::vector<FieldViolation> violations_;
};

// What a client sent, for a message: at most 100 bytes.
std::string ShownValue(const nlohmann::json& value);

// The bytes of standard base64, with or without "data:...;base64," before it;
// nullopt if it is none.
std::optional<std::string> DecodePicture(absl::string_view text);
// The same of the field `name`; "" and a fault if it is none or is empty.
std::string PictureIn(FieldReader& reader, const std::string& name,
                      absl::string_view text);

}  // namespace genzo

#endif  // GENZO_GATEWAY_JSON_BODY_H_
