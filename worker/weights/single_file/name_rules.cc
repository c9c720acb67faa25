#include "worker/weights/single_file/name_rules.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

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

TensorRecipes ToDiffusers(const NameRules& rules, const Entries& entries,
                          const std::string& prefix) {
  TensorRecipes recipes;
  for (const auto& [name, entry] : entries) {
    const std::string full_name = prefix + name;
    bool known = false;
    for (const NameRule& rule : rules) {
      const auto captures = Match(rule.original, name);
      if (!captures.has_value()) continue;
      known = true;
      if (rule.kind == NameRule::kRows) {
        Divide(rule, *captures, full_name, entry, recipes);
      } else if (!rule.names.empty()) {
        recipes[Fill(rule.names[0], *captures)] =
            OneToOne(rule.kind, full_name, entry, /*to_original=*/false);
      }
      break;
    }
    if (!known) recipes[name] = {.pieces = {{full_name}}};
  }
  return recipes;
}

TensorRecipes ToOriginal(const NameRules& rules, const Entries& entries,
                         const std::string& prefix) {
  TensorRecipes recipes;
  for (const auto& [name, entry] : entries) {
    bool known = false;
    for (const NameRule& rule : rules) {
      for (size_t i = 0; i < rule.names.size() && !known; ++i) {
        const auto captures = Match(rule.names[i], name);
        if (!captures.has_value()) continue;
        known = true;
        const std::string original = prefix + Fill(rule.original, *captures);
        if (rule.kind != NameRule::kRows) {
          recipes[original] =
              OneToOne(rule.kind, name, entry, /*to_original=*/true);
        } else if (i == 0) {
          TensorRecipe& joined = recipes[original];
          for (const std::string& part : rule.names) {
            joined.pieces.push_back({Fill(part, *captures)});
          }
        }
      }
      if (known) break;
    }
    if (!known) recipes[prefix + name] = {.pieces = {{name}}};
  }
  return recipes;
}

}  // namespace genzo
