#include "gateway/field_names.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/door_error.h"

namespace genzo {
namespace {

struct Match {
  size_t length = 0;  // of the field, by the row's own words
  std::vector<absl::string_view> indices;
};

// How `pattern`, without "...", begins `field`; nullopt if it does not.
std::optional<Match> MatchOf(absl::string_view pattern,
                             absl::string_view field) {
  Match match;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (match.length == field.size()) return std::nullopt;
    if (absl::StartsWith(pattern.substr(i), "[]")) {
      const size_t close = field.find(']', match.length);
      if (field[match.length] != '[' || close == field.npos) {
        return std::nullopt;
      }
      match.indices.push_back(
          field.substr(match.length, close + 1 - match.length));
      match.length = close + 1;
      ++i;
    } else if (pattern[i] == field[match.length]) {
      ++match.length;
    } else {
      return std::nullopt;
    }
  }
  return match;
}

std::string WithIndices(absl::string_view own, const Match& match) {
  std::string named;
  size_t used = 0;
  for (size_t i = 0; i < own.size(); ++i) {
    if (absl::StartsWith(own.substr(i), "[]") && used < match.indices.size()) {
      absl::StrAppend(&named, match.indices[used++]);
      ++i;
    } else {
      named += own[i];
    }
  }
  return named;
}

struct Named {
  std::string own;
  std::string shown;
};

std::optional<Named> NameOf(const FieldNames& names, absl::string_view field) {
  std::optional<Named> best;
  size_t length = 0;
  for (const FieldName& name : names) {
    absl::string_view pattern = name.proto;
    absl::string_view own = name.own;
    const bool reaches_in = absl::ConsumeSuffix(&pattern, kInside);
    const bool keeps_rest = absl::ConsumeSuffix(&own, kInside);
    const auto match = MatchOf(pattern, field);
    if (!match.has_value() || (best.has_value() && match->length <= length)) {
      continue;
    }
    const absl::string_view rest = field.substr(match->length);
    if (!rest.empty() &&
        (!reaches_in || (rest.front() != '.' && rest.front() != '['))) {
      continue;
    }
    length = match->length;
    best = Named{.own = WithIndices(own, *match), .shown = name.shown};
    if (keeps_rest) absl::StrAppend(&best->own, rest);
    if (best->shown.empty()) best->shown = best->own;
  }
  return best;
}

bool IsOfAPath(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '[' || c == ']';
}

// Whether `word` can be nothing but a field, wherever it stands, or a value.
bool IsNoOtherWord(absl::string_view word) {
  return word.find_first_of("_.[") != word.npos || word == "outpainting";
}

// `text` with the door's names. A field that looks like any other word is one
// only where it is `field` and the text begins with it. What is quoted is the
// client's.
std::string Reworded(const FieldNames& names, absl::string_view text,
                     absl::string_view field) {
  std::string reworded;
  bool is_quoted = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    while (at < text.size() && IsOfAPath(text[at])) ++at;
    absl::string_view word = text.substr(begin, at - begin);
    while (absl::EndsWith(word, ".")) word.remove_suffix(1);
    at = begin + std::max<size_t>(word.size(), 1);
    const bool is_field = (begin == 0 && word == field) || IsNoOtherWord(word);
    const auto named = is_field && !is_quoted && !word.empty()
                           ? NameOf(names, word)
                           : std::nullopt;
    if (named.has_value()) {
      absl::StrAppend(&reworded, named->shown);
      continue;
    }
    if (text[begin] == '"') is_quoted = !is_quoted;
    absl::StrAppend(&reworded, text.substr(begin, at - begin));
  }
  return reworded;
}

}  // namespace

FieldNames Followed(FieldNames first, const FieldNames& later) {
  first.insert(first.end(), later.begin(), later.end());
  return first;
}

std::optional<std::string> OwnName(const FieldNames& names,
                                   absl::string_view field) {
  const auto named = NameOf(names, field);
  if (!named.has_value()) return std::nullopt;
  return named->own;
}

absl::Status Renamed(const absl::Status& status, const FieldNames& names) {
  std::vector<FieldViolation> violations = ViolationsIn(status);
  if (violations.empty()) {
    absl::Status renamed(status.code(), Reworded(names, status.message(), ""));
    status.ForEachPayload([&](absl::string_view type, const absl::Cord& bytes) {
      renamed.SetPayload(type, bytes);
    });
    const auto own = OwnName(names, FieldOf(status));
    return own.has_value() ? WithField(renamed, *own) : renamed;
  }
  for (FieldViolation& violation : violations) {
    violation.description =
        Reworded(names, violation.description, violation.field);
    violation.field = OwnName(names, violation.field).value_or(violation.field);
  }
  // What are two fields here may be one there.
  std::vector<FieldViolation> told;
  for (FieldViolation& violation : violations) {
    const bool is_known =
        absl::c_any_of(told, [&](const FieldViolation& other) {
          return other.field == violation.field &&
                 other.description == violation.description;
        });
    if (!is_known) told.push_back(std::move(violation));
  }
  return InvalidFieldsError(told);
}

}  // namespace genzo
