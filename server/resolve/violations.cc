#include "server/resolve/violations.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "base/pictures/picture_probe.h"
#include "base/sha256.h"

namespace genzo {

void Violations::Add(const std::string& field, const std::string& description) {
  if (list_.size() < kMostViolations) list_.push_back({field, description});
}

void Violations::CheckCount(const std::string& field, int count, int most) {
  if (count <= most) return;
  Add(field,
      absl::StrCat(field, " has ", count, " entries, the limit is ", most));
}

void Violations::CheckText(const std::string& field, const std::string& text,
                           size_t max_bytes) {
  if (text.size() <= max_bytes) return;
  Add(field, absl::StrCat(field, " has ", text.size(), " bytes, the limit is ",
                          max_bytes));
}

void Violations::CheckEnum(const std::string& field, int value,
                           const google::protobuf::EnumDescriptor& type) {
  if (type.FindValueByNumber(value) != nullptr) return;
  Add(field, absl::StrCat(field, " ", value, " is not one of its values"));
}

void Violations::CheckTask(v1::Task task, const std::string& field,
                           const v1::Model& model) {
  const auto& tasks = model.tasks();
  // A model that was never loaded has not told its tasks yet.
  if (tasks.empty() ||
      std::find(tasks.begin(), tasks.end(), task) != tasks.end()) {
    return;
  }
  Add(field, absl::StrCat(field, ": model \"", model.id(), "\" does not offer ",
                          NameOf(*v1::Task_descriptor(), task)));
}

void Violations::CheckTaken(const std::string& field, const v1::Model& model) {
  if (Takes(model, field)) return;
  Add(field, absl::StrCat(field, ": model \"", model.id(),
                          "\" does not take it; of such fields it takes: ",
                          absl::StrJoin(model.request_fields(), ", ")));
}

std::optional<std::string> Violations::CheckPicture(const PictureFields& fields,
                                                    const std::string& data,
                                                    const std::string& sha256,
                                                    uint64_t bytes,
                                                    size_t max_bytes) {
  if (data.empty()) {
    Add(fields.data, absl::StrCat(fields.data, " is empty"));
    return std::nullopt;
  }
  CheckText(fields.data, data, max_bytes);
  if (data.size() > max_bytes) return std::nullopt;
  const std::string digest = Sha256(data);
  if (!sha256.empty() && sha256 != digest) {
    Add(fields.sha256,
        absl::StrCat(fields.sha256, " is not that of ", fields.data));
  }
  if (bytes != 0 && bytes != data.size()) {
    Add(fields.bytes,
        absl::StrCat(fields.bytes, " ", bytes, " is not the size of ",
                     fields.data, ", ", data.size()));
  }
  return digest;
}

void Violations::ResolvePicture(const std::string& field, size_t max_bytes,
                                v1::InputPicture& picture) {
  const std::optional<std::string> digest = CheckPicture(
      {absl::StrCat(field, ".data"), absl::StrCat(field, ".sha256"),
       absl::StrCat(field, ".bytes")},
      picture.data(), picture.sha256(), picture.bytes(), max_bytes);
  if (!digest.has_value()) return;
  const auto header = ProbePicture(picture.data());
  if (!header.ok()) {
    const std::string data = field + ".data";
    Add(data, absl::StrCat(data, ": ", header.status().message()));
  }
  picture.set_sha256(*digest);
  picture.set_bytes(picture.data().size());
}

absl::Status Violations::status() const {
  return list_.empty() ? absl::OkStatus() : InvalidFieldsError(list_);
}

std::string NameOf(const google::protobuf::EnumDescriptor& type, int value) {
  const auto* known = type.FindValueByNumber(value);
  return known == nullptr ? absl::StrCat(value) : known->name();
}

bool Takes(const v1::Model& model, const std::string& field) {
  const auto& known = model.request_fields();
  return model.tasks().empty() ||
         std::find(known.begin(), known.end(), field) != known.end();
}

}  // namespace genzo
