#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_NAME_RULES_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_NAME_RULES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/weights/mapped_tensors.h"

namespace genzo {

// One line of a table of names: what a tensor of the original code is called in
// diffusers. "#" stands for a number, "*" at the end for anything, the same on
// both sides; the first line that fits counts.
//
//   {"time_in.in_layer.*", {"time_text_embed.timestep_embedder.linear_1.*"}}
//   {"blocks.#.qkv.*", {"blocks.#.to_q.*", "blocks.#.to_k.*",
//                       "blocks.#.to_v.*"}, NameRule::kRows}
struct NameRule {
  enum Kind {
    kSame,
    kRows,        // the original has the rows of all of them
    kSwapHalves,  // the upper and the lower half of the rows exchanged
    kTransposed,  // of two dimensions
    kPointwise,   // a 1x1 convolution in the original, a matrix here
  };
  std::string original;
  std::vector<std::string> names;  // none: only the original has it
  Kind kind = kSame;
  // kRows: rows of each; empty: equal parts; the last is what is left.
  std::vector<int64_t> rows = {};
};
using NameRules = std::vector<NameRule>;

// What of `entries` begins with `prefix`, without it.
using Entries = std::map<std::string, TensorEntry>;
Entries WithPrefix(const Entries& entries, const std::string& prefix);

// Whether any name begins with `prefix`.
bool AnyBegins(const Entries& entries, const std::string& prefix);

// How many numbers from 0 on follow `prefix`: "a.0.x", "a.1.x" -> 2 for "a.".
int64_t CountBlocks(const Entries& entries, const std::string& prefix);

// INVALID_ARGUMENT naming `path` and a tensor if a number in its name is that
// of a block which no network has: tables have rules, and configurations
// entries, for each.
absl::Status CheckDepths(const Entries& entries, const std::string& path);

// The tensors in diffusers' names, made of `entries` in original ones; names
// that no rule knows stay as they are. `prefix` is put before what is read.
TensorRecipes ToDiffusers(const NameRules& rules, const Entries& entries,
                          const std::string& prefix);

// The way back: tensors in original names, made of `entries` in diffusers'.
// `prefix` is put before the names that come out.
TensorRecipes ToOriginal(const NameRules& rules, const Entries& entries,
                         const std::string& prefix);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_NAME_RULES_H_
