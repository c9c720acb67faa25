#include "gateway/near_names.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr size_t kMostBytes = 64;  // longer than any name
constexpr size_t kLeastBytes = 3;  // shorter ones are near to everything
constexpr size_t kFewBytes = 6;    // of these one letter may be wrong, else two

// How many letters have to be put in, taken out or changed.
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Whether `part` are the first or the last words of `whole`.
bool HasWords(absl::string_view whole, absl::string_view part) {
  return absl::StartsWith(whole, absl::StrCat(part, "_")) ||
         absl::EndsWith(whole, absl::StrCat("_", part));
}

std::string Meant(absl::string_view name, const std::set<std::string>& known,
                  const Descriptor& message) {
  size_t fewest = (name.size() < kFewBytes ? 1 : 2) + 1;
  std::string nearest;
  for (const std::string& other : known) {
    const size_t slips = Slips(name, other);
    if (slips < fewest) nearest = other;
    fewest = std::min(fewest, slips);
  }
  if (!nearest.empty()) return nearest;
  for (const std::string& other : known) {
    if (HasWords(name, other) || HasWords(other, name)) return other;
  }
  for (const std::string& other : known) {
    const FieldDescriptor* field = message.FindFieldByName(other);
    if (field != nullptr && !field->is_repeated() &&
        field->message_type() != nullptr &&
        field->message_type()->FindFieldByName(std::string(name)) != nullptr) {
      return absl::StrCat(other, ".", name);
    }
  }
  return "";
}

}  // namespace

std::string MeantInstead(absl::string_view field) {
  return absl::StrCat("; did you mean ", field, "?");
}

std::string DidYouMean(absl::string_view name,
                       const std::set<std::string>& known,
                       const Descriptor& message) {
  if (name.size() < kLeastBytes || name.size() > kMostBytes) return "";
  const std::string meant = Meant(name, known, message);
  return meant.empty() ? "" : MeantInstead(meant);
}

}  // namespace genzo
