#ifndef GENZO_WORKER_WEIGHTS_MAPPED_TENSORS_H_
#define GENZO_WORKER_WEIGHTS_MAPPED_TENSORS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/weights/tensor_source.h"

namespace genzo {

// How one tensor is made of another source's: pieces, each some rows of a
// tensor, one below the other, then perhaps transposed.
//
//   to_k.weight of a fused qkv [3 D, D]:  {{"qkv.weight", D, D}}
//   qkv.weight of separate ones:          {{"to_q.weight"}, {"to_k.weight"},
//                                          {"to_v.weight"}}
//   halves exchanged:                     {{"lin.weight", D, D},
//                                          {"lin.weight", 0, D}}
struct TensorRecipe {
  struct Piece {
    std::string name;
    int64_t begin = 0;
    int64_t rows = -1;  // -1: the whole tensor
  };
  std::vector<Piece> pieces;
  bool transposed = false;              // of two dimensions
  std::vector<int64_t> new_shape = {};  // of as many elements; empty: as it is
  int64_t identity = 0;  // instead of pieces: a unit matrix of that size, F32
};

// Tensors by name, and of what they are made.
using TensorRecipes = std::map<std::string, TensorRecipe>;

// A view of another source: exactly the tensors of the recipes. Nothing is read
// before it is asked for, and then the pieces alone.
class MappedTensors : public TensorSource {
 public:
  // INVALID_ARGUMENT or NOT_FOUND name file and tensor: pieces that are not
  // there, differ in type or in width, or do not make the shape.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Create(
      std::shared_ptr<const TensorSource> source, TensorRecipes recipes);

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  using TensorSource::Read;
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  const std::string& path() const override { return source_->path(); }

 private:
  MappedTensors(std::shared_ptr<const TensorSource> source,
                TensorRecipes recipes)
      : source_(std::move(source)), recipes_(std::move(recipes)) {}
  absl::StatusOr<TensorEntry> EntryOf(const TensorRecipe& recipe) const;

  const std::shared_ptr<const TensorSource> source_;
  const TensorRecipes recipes_;
  std::map<std::string, TensorEntry> entries_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_MAPPED_TENSORS_H_
