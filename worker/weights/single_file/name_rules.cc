#include "worker/weights/single_file/name_rules.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

// Of a network, in one list: many more than any has.
constexpr int64_t kMostBlocks = 1024;

// What the wildcards of a pattern stand for, in order.
using Captures = std::vector<std::string>;

std::optional<Captures> Match(const std::string& pattern,
                              const std::string& name) {
  Captures captures;
  size_t at = 0;
  for (const char c : pattern) {
    if (c == '*') {
      if (at == name.size()) return std::nullopt;
      captures.push_back(name.substr(at));
      return captures;
    }
    if (c == '#') {
      size_t end = at;
      while (end < name.size() && absl::ascii_isdigit(name[end])) ++end;
      if (end == at) return std::nullopt;
      captures.push_back(name.substr(at, end - at));
      at = end;
    } else if (at == name.size() || name[at++] != c) {
      return std::nullopt;
    }
  }
  if (at != name.size()) return std::nullopt;
  return captures;
}

std::string Fill(const std::string& pattern, const Captures& captures) {
  std::string name;
  size_t next = 0;
  for (const char c : pattern) {
    if (c == '#' || c == '*') {
      absl::StrAppend(&name, captures[next++]);
    } else {
      name += c;
    }
  }
  return name;
}

// The recipe of a tensor that has one counterpart.
TensorRecipe OneToOne(NameRule::Kind kind, const std::string& name,
                      const TensorEntry& entry, bool to_original) {
  TensorRecipe recipe = {.pieces = {{name}}};
  const std::vector<int64_t>& shape = entry.shape;
  switch (kind) {
    case NameRule::kSwapHalves:
      if (!shape.empty()) {
        const int64_t half = shape[0] / 2;
        recipe.pieces = {{name, half, shape[0] - half}, {name, 0, half}};
      }
      break;
    case NameRule::kTransposed:
      recipe.transposed = shape.size() == 2;
      break;
    case NameRule::kPointwise:
      if (to_original && shape.size() == 2) {
        recipe.new_shape = {shape[0], shape[1], 1, 1};
      } else if (!to_original && shape.size() == 4) {
        recipe.new_shape = {shape[0], shape[1]};
      }
      break;
    default:
      break;
  }
  return recipe;
}

void Divide(const NameRule& rule, const Captures& captures,
            const std::string& name, const TensorEntry& entry,
            TensorRecipes& recipes) {
  const int64_t all = entry.shape.empty() ? 0 : entry.shape[0];
  const auto count = static_cast<int64_t>(rule.names.size());
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rows =
        rule.rows.empty() ? all / count : rule.rows[static_cast<size_t>(i)];
    // Too few rows: then it begins behind the end, which is told.
    if (i + 1 == count) rows = std::max<int64_t>(0, all - begin);
    recipes[Fill(rule.names[static_cast<size_t>(i)], captures)] = {
        .pieces = {{name, begin, rows}}};
    begin += rows;
  }
}

// Patterns by what stands before their first wildcard: a file of many blocks
// makes as many rules, and trying all of them on each name would take minutes.
class PatternTable {
 public:
  // The pattern is that of name `name` of rule `rule`; it outlives the table.
  void Add(const std::string& pattern, size_t rule, size_t name) {
    const size_t length = std::min(pattern.find_first_of("#*"), pattern.size());
    by_beginning_[pattern.substr(0, length)].push_back(rows_.size());
    lengths_.insert(length);
    rows_.push_back({&pattern, rule, name});
  }

  struct Found {
    size_t rule;
    size_t name;
    Captures captures;
  };
  // The first of the patterns, as they were added, that `name` fits.
  std::optional<Found> Find(const std::string& name) const {
    size_t first = rows_.size();
    Captures captures;
    for (const size_t length : lengths_) {
      if (length > name.size()) break;
      const auto rows =
          by_beginning_.find(absl::string_view(name).substr(0, length));
      if (rows == by_beginning_.end()) continue;
      for (const size_t row : rows->second) {
        if (row >= first) break;
        auto match = Match(*rows_[row].pattern, name);
        if (!match.has_value()) continue;
        first = row;
        captures = *std::move(match);
        break;
      }
    }
    if (first == rows_.size()) return std::nullopt;
    return Found{rows_[first].rule, rows_[first].name, std::move(captures)};
  }

 private:
  struct Row {
    const std::string* pattern;
    size_t rule;
    size_t name;
  };
  std::vector<Row> rows_;
  std::map<std::string, std::vector<size_t>, std::less<>> by_beginning_;
  std::set<size_t> lengths_;
};

}  // namespace

Entries WithPrefix(const Entries& entries, const std::string& prefix) {
  Entries found;
  for (auto at = entries.lower_bound(prefix);
       at != entries.end() && absl::StartsWith(at->first, prefix); ++at) {
    found.emplace(at->first.substr(prefix.size()), at->second);
  }
  return found;
}

bool AnyBegins(const Entries& entries, const std::string& prefix) {
  const auto at = entries.lower_bound(prefix);
  return at != entries.end() && absl::StartsWith(at->first, prefix);
}

int64_t CountBlocks(const Entries& entries, const std::string& prefix) {
  int64_t count = 0;
  while (AnyBegins(entries, absl::StrCat(prefix, count, "."))) ++count;
  return count;
}

absl::Status CheckDepths(const Entries& entries, const std::string& path) {
  for (const auto& entry : entries) {
    for (const absl::string_view part : absl::StrSplit(entry.first, '.')) {
      const bool is_number = absl::c_all_of(part, absl::ascii_isdigit);
      int64_t number = 0;
      // What is no int64 is all the more too large.
      if (part.empty() || !is_number ||
          (absl::SimpleAtoi(part, &number) && number < kMostBlocks)) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": tensor \"", Shortened(entry.first), "\" is of block ",
          part.substr(0, 20), ", not below ", kMostBlocks));
    }
  }
  return absl::OkStatus();
}

TensorRecipes ToDiffusers(const NameRules& rules, const Entries& entries,
                          const std::string& prefix) {
  PatternTable table;
  for (size_t i = 0; i < rules.size(); ++i) table.Add(rules[i].original, i, 0);
  TensorRecipes recipes;
  for (const auto& [name, entry] : entries) {
    const std::string full_name = prefix + name;
    const auto found = table.Find(name);
    if (!found.has_value()) {
      recipes[name] = {.pieces = {{full_name}}};
      continue;
    }
    const NameRule& rule = rules[found->rule];
    if (rule.kind == NameRule::kRows) {
      Divide(rule, found->captures, full_name, entry, recipes);
    } else if (!rule.names.empty()) {
      recipes[Fill(rule.names[0], found->captures)] =
          OneToOne(rule.kind, full_name, entry, /*to_original=*/false);
    }
  }
  return recipes;
}

TensorRecipes ToOriginal(const NameRules& rules, const Entries& entries,
                         const std::string& prefix) {
  PatternTable table;
  for (size_t i = 0; i < rules.size(); ++i) {
    for (size_t j = 0; j < rules[i].names.size(); ++j) {
      table.Add(rules[i].names[j], i, j);
    }
  }
  TensorRecipes recipes;
  for (const auto& [name, entry] : entries) {
    const auto found = table.Find(name);
    if (!found.has_value()) {
      recipes[prefix + name] = {.pieces = {{name}}};
      continue;
    }
    const NameRule& rule = rules[found->rule];
    const std::string original = prefix + Fill(rule.original, found->captures);
    if (rule.kind != NameRule::kRows) {
      recipes[original] =
          OneToOne(rule.kind, name, entry, /*to_original=*/true);
    } else if (found->name == 0) {
      TensorRecipe& joined = recipes[original];
      for (const std::string& part : rule.names) {
        joined.pieces.push_back({Fill(part, found->captures)});
      }
    }
  }
  return recipes;
}

}  // namespace genzo
