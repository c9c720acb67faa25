#ifndef GENZO_SERVER_RESOLVE_VIOLATIONS_H_
#define GENZO_SERVER_RESOLVE_VIOLATIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/shortest_digits.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "genzo/v1/types.pb.h"
#include "google/protobuf/descriptor.h"

namespace genzo {

// Where in a request a picture file, its digest and its size stand.
struct PictureFields {
  std::string data;
  std::string sha256;
  std::string bytes;
};

// What is wrong with a request, field by field: a request is refused with all
// its faults at once. Not thread-safe.
class Violations {
 public:
  // `description` names the field, its value and the limit. More than are told
  // are not kept.
  void Add(const std::string& field, const std::string& description);

  // Numbers are in [min, max]; NaN never is.
  template <typename T>
  void CheckRange(const std::string& field, T value, T min, T max) {
    if (value >= min && value <= max) return;  // false for NaN
    Add(field, absl::StrCat(field, " ", Digits(value), " is not between ",
                            Digits(min), " and ", Digits(max)));
  }
  void CheckCount(const std::string& field, int count, int most);
  void CheckText(const std::string& field, const std::string& text,
                 size_t max_bytes);
  void CheckEnum(const std::string& field, int value,
                 const google::protobuf::EnumDescriptor& type);
  // Whether the model offers `task`.
  void CheckTask(v1::Task task, const std::string& field,
                 const v1::Model& model);
  // Whether the model takes a field that not every model does.
  void CheckTaken(const std::string& field, const v1::Model& model);
  // The digest of a picture file of at most `max_bytes`; nothing if it is empty
  // or too large. What the caller says of it is right or absent.
  std::optional<std::string> CheckPicture(const PictureFields& fields,
                                          const std::string& data,
                                          const std::string& sha256,
                                          uint64_t bytes, size_t max_bytes);
  // The same of `picture` at `field`, whose digest and size are filled in; and
  // the head of its file can be read.
  void ResolvePicture(const std::string& field, size_t max_bytes,
                      v1::InputPicture& picture);

  // OK, or INVALID_ARGUMENT/INVALID_FIELD with every fault.
  absl::Status status() const;

 private:
  // Digits that tell the value apart from its limit.
  static std::string Digits(double value) { return ShortestDigits(value); }
  template <typename T>
  static T Digits(T value) {
    return value;
  }

  std::vector<FieldViolation> list_;
};

// The value's name, or its number.
std::string NameOf(const google::protobuf::EnumDescriptor& type, int value);

// Whether the model takes a field that not every model does, by path. A model
// that was never loaded has told nothing yet and takes every one.
bool Takes(const v1::Model& model, const std::string& field);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_VIOLATIONS_H_
