#include "worker/weights/mapped_tensors.h"

#include <utility>

#include "ATen/ops/cat.h"
#include "ATen/ops/eye.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TensorSource>> MappedTensors::Create(
    std::shared_ptr<const TensorSource> source, TensorRecipes recipes) {
  std::shared_ptr<MappedTensors> mapped(
      new MappedTensors(std::move(source), std::move(recipes)));
  for (const auto& [name, recipe] : mapped->recipes_) {
    auto entry = mapped->EntryOf(recipe);
    if (!entry.ok()) return entry.status();
    mapped->entries_.emplace(name, *std::move(entry));
  }
  return std::shared_ptr<const TensorSource>(std::move(mapped));
}

absl::StatusOr<TensorEntry> MappedTensors::EntryOf(
    const TensorRecipe& recipe) const {
  TensorEntry made = {.dtype = at::kFloat,
                      .shape = {recipe.identity, recipe.identity},
                      .begin_bytes = 0,
                      .size_bytes = 0};
  for (size_t i = 0; i < recipe.pieces.size(); ++i) {
    const TensorRecipe::Piece& piece = recipe.pieces[i];
    const auto found = source_->entries().find(piece.name);
    if (found == source_->entries().end()) return Missing(piece.name);
    TensorEntry part = found->second;
    const auto invalid = [&](const std::string& what) {
      return absl::InvalidArgumentError(
          absl::StrCat(path(), ": tensor \"", piece.name, "\" of shape ",
                       ShapeText(found->second.shape), " ", what));
    };
    if (piece.rows >= 0) {
      const absl::Status sound =
          CheckRows(piece.name, part, RowRange{piece.begin, piece.rows});
      if (!sound.ok()) return sound;
      part.shape[0] = piece.rows;
    }
    if (i == 0) {
      made = part;
      continue;
    }
    const bool fits = part.dtype == made.dtype && !part.shape.empty() &&
                      std::vector(part.shape.begin() + 1, part.shape.end()) ==
                          std::vector(made.shape.begin() + 1, made.shape.end());
    if (!fits) {
      return invalid(absl::StrCat("does not fit below \"",
                                  recipe.pieces[0].name, "\" of shape ",
                                  ShapeText(made.shape)));
    }
    if (__builtin_add_overflow(made.shape[0], part.shape[0], &made.shape[0])) {
      return invalid("has too many rows");
    }
  }
  const auto unfit = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": tensor \"", recipe.pieces[0].name,
                     "\" of shape ", ShapeText(made.shape), " ", what));
  };
  if (recipe.transposed) {
    if (made.shape.size() != 2) return unfit("does not have two dimensions");
    std::swap(made.shape[0], made.shape[1]);
  }
  if (!recipe.new_shape.empty()) {
    if (Elements(recipe.new_shape) != Elements(made.shape)) {
      return unfit(absl::StrCat("cannot be ", ShapeText(recipe.new_shape)));
    }
    made.shape = recipe.new_shape;
  }
  made.begin_bytes = 0;
  made.size_bytes =
      static_cast<size_t>(Elements(made.shape)) * c10::elementSize(made.dtype);
  return made;
}

absl::StatusOr<at::Tensor> MappedTensors::Read(
    const std::string& name, const ReadOptions& options) const {
  const auto found = recipes_.find(name);
  if (found == recipes_.end()) return Missing(name);
  const TensorRecipe& recipe = found->second;
  const absl::Status sound = CheckRows(name, entries_.at(name), options.rows);
  if (!sound.ok()) return sound;
  at::Tensor made;
  if (recipe.pieces.empty()) {
    made =
        at::eye(recipe.identity,
                at::TensorOptions().dtype(options.dtype.value_or(at::kFloat)));
  } else {
    std::vector<at::Tensor> parts;
    for (const TensorRecipe::Piece& piece : recipe.pieces) {
      ReadOptions of_piece = options;
      of_piece.rows.reset();
      if (piece.rows >= 0) of_piece.rows = RowRange{piece.begin, piece.rows};
      auto part = source_->Read(piece.name, of_piece);
      if (!part.ok()) return part.status();
      parts.push_back(*std::move(part));
    }
    made = parts.size() == 1 ? parts[0] : at::cat(parts);
  }
  if (recipe.transposed) made = made.t();
  made = made.contiguous().view(entries_.at(name).shape);
  if (!options.rows.has_value()) return made;
  return made.narrow(0, options.rows->begin, options.rows->count).clone();
}

}  // namespace genzo
