#include "gateway/form_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "gateway/json_body.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kEach[] = "";  // between the brackets of "[]"

// A field, or what is inside one: texts, or pieces of its own.
struct Piece {
  std::string key;
  std::vector<std::string> texts;
  std::vector<Piece> inside;

  const Piece* Find(const std::string& wanted) const {
    const auto found =
        std::find_if(inside.begin(), inside.end(),
                     [&](const Piece& piece) { return piece.key == wanted; });
    return found == inside.end() ? nullptr : &*found;
  }
  Piece& At(const std::string& wanted) {
    const Piece* const found = Find(wanted);
    return found != nullptr ? inside[found - inside.data()]
                            : inside.emplace_back(Piece{.key = wanted});
  }
};

absl::Status Bad(const std::string& name, const std::string& why) {
  return InvalidFieldsError({{name, absl::StrCat(name, " ", why)}});
}

// "a[b][]" as a, b and "".
std::vector<std::string> PathIn(const std::string& name) {
  std::vector<std::string> path = {name.substr(0, name.find('['))};
  absl::string_view rest = absl::string_view(name).substr(path[0].size());
  if (path[0].empty()) return {name};
  while (!rest.empty()) {
    const size_t end = rest.find(']');
    if (rest[0] != '[' || end == absl::string_view::npos) return {name};
    path.emplace_back(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  return path;
}

std::string NameIn(const std::string& name, const std::string& key) {
  return name.empty() ? key : absl::StrCat(name, "[", key, "]");
}

bool IsNumbered(const Piece& piece) {
  return std::all_of(
      piece.inside.begin(), piece.inside.end(), [](const Piece& entry) {
        return !entry.key.empty() &&
               entry.key.find_first_not_of("0123456789") == std::string::npos;
      });
}

// How many entries a list has of which `entry` has the texts, piece by piece:
// as many as there are texts of one piece. 0: nobody knows.
size_t CountOf(const Piece& entry) {
  size_t count = entry.texts.size();
  for (const Piece& piece : entry.inside) {
    if (piece.key != kEach) count = std::max(count, CountOf(piece));
  }
  return count;
}

absl::StatusOr<json> ValueOf(const Piece& piece, const std::string& name,
                             size_t row, size_t rows);

// The list of which `entry`, called `name`, has the texts.
absl::StatusOr<json> ListOf(const Piece& entry, const std::string& name,
                            size_t rows) {
  const size_t count = CountOf(entry);
  if (rows > 1 || count == 0) {
    return Bad(name,
               "is a list in a list, whose entries nobody can tell apart: "
               "number them, as in loras[0][name]");
  }
  json list = json::array();
  for (size_t i = 0; i < count; ++i) {
    auto value = ValueOf(entry, name, i, count);
    if (!value.ok()) return value.status();
    list.push_back(*std::move(value));
  }
  return list;
}

absl::StatusOr<json> TextAt(const Piece& piece, const std::string& name,
                            size_t row, size_t rows) {
  if (piece.texts.size() == rows) return json(piece.texts[row]);
  if (rows == 1) return Bad(name, "occurs twice");
  return Bad(name, absl::StrCat("occurs ", piece.texts.size(),
                                " times, but its list has ", rows,
                                " entries, and nobody can tell whose it is: "
                                "number them, as in loras[0][name]"));
}

// What `piece`, called `name`, is in entry `row` of the `rows` that its texts
// are of; outside of lists, of the only one.
absl::StatusOr<json> ValueOf(const Piece& piece, const std::string& name,
                             size_t row, size_t rows) {
  if (piece.inside.empty() && !name.empty()) {
    return TextAt(piece, name, row, rows);
  }
  if (!piece.texts.empty()) return Bad(name, "is a text, and has pieces");
  if (const Piece* each = piece.Find(kEach); each != nullptr) {
    if (piece.inside.size() == 1) {
      return ListOf(*each, NameIn(name, kEach), rows);
    }
    return Bad(name, "has pieces of its entries, and others");
  }
  const bool is_list = !name.empty() && IsNumbered(piece);
  json value = is_list ? json::array() : json::object();
  for (size_t i = 0; i < piece.inside.size(); ++i) {
    const std::string key = is_list ? absl::StrCat(i) : piece.inside[i].key;
    const Piece* inner = piece.Find(key);
    if (inner == nullptr) {
      return Bad(NameIn(name, key), "is missing, but later entries are not");
    }
    auto read = ValueOf(*inner, NameIn(name, key), row, rows);
    if (!read.ok()) return read.status();
    if (is_list) {
      value.push_back(*std::move(read));
    } else {
      value[key] = *std::move(read);
    }
  }
  return value;
}

}  // namespace

absl::StatusOr<json> NestFields(const std::vector<FormText>& texts) {
  Piece whole;
  for (const auto& [name, text] : texts) {
    const std::vector<std::string> path = PathIn(name);
    if (path.size() > kMaxBodyDepth) {
      return Bad(path[0], absl::StrCat("is nested deeper than ", kMaxBodyDepth,
                                       " levels"));
    }
    Piece* at = &whole;
    for (const std::string& key : path) at = &at->At(key);
    at->texts.push_back(text);
  }
  return ValueOf(whole, /*name=*/"", /*row=*/0, /*rows=*/1);
}

}  // namespace genzo
