#ifndef GENZO_WORKER_WEIGHTS_WEIGHTS_H_
#define GENZO_WORKER_WEIGHTS_WEIGHTS_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/weights/renamed_tensors.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// What modules build themselves from: a place in a checkpoint's tree of names.
// A module asks for `weights["conv1"]` where its C++ member is `conv1`, and for
// tensors by name with the shape that its configuration implies. Tensors are
// cast and moved once. The first fault sticks to the whole tree, so modules
// need no error paths; ask Finish() before using one. Not thread-safe.
class Weights {
 public:
  // The root of `source`'s names. Floating point tensors become `dtype` on
  // `device`. Of a source without values Get and its like read nothing and give
  // tensors without elements, as after a fault, and all that is wrong is in
  // faults().
  Weights(std::shared_ptr<const TensorSource> source, at::ScalarType dtype,
          at::Device device);

  // A look at names and shapes alone.
  static Weights OfEntries(std::shared_ptr<const TensorSource> source);

  // What was asked for, of a source without values, and is not there as it must
  // be, in the order of asking: "tensor \"conv1.weight\" is missing".
  const std::vector<std::string>& faults() const { return tree_->faults; }
  // Names of tensors that nobody asked for, but those that Finish() would
  // ignore.
  std::vector<std::string> Surplus(
      const std::set<std::string>& ignored = {}) const;

  // The subtree of `segment`, or of `segment`.`index`.
  Weights operator[](const std::string& segment) const;
  Weights At(const std::string& segment, int64_t index) const;

  // What the whole tree is of.
  const std::shared_ptr<const TensorSource>& source() const {
    return tree_->source;
  }

  // The full name of this subtree, "down_blocks.0.resnets.1"; empty at the
  // root.
  std::string path() const {
    return prefix_.empty() ? prefix_ : prefix_.substr(0, prefix_.size() - 1);
  }

  // Whether the tensor `name` is here.
  bool Has(const std::string& name) const;

  // The tensor `name` of exactly `shape`. On a fault, which Finish() will
  // report, a tensor without elements: in a
  // tensor of up to 256 KiB also a value that is not finite in that type.
  at::Tensor Get(const std::string& name,
                 const std::vector<int64_t>& shape) const;
  // The same in float32 whatever the tree's type: for small tensors whose
  // rounding would show.
  at::Tensor GetFloat(const std::string& name,
                      const std::vector<int64_t>& shape) const;

  // For a module that makes other weights of those it takes: the tensor in
  // float32, not counted, and the bytes of what it made.
  at::Tensor PeekFloat(const std::string& name,
                       const std::vector<int64_t>& shape) const;
  void AddBytes(int64_t bytes) const { tree_->taken_bytes += bytes; }

  // Gives tensors of the whole tree, by their full names, those that the
  // modules ask for. Before any Get.
  void Rename(const RenameTable& table) const;

  // Tells Finish() that nobody wants this subtree.
  void LeaveOut() const;

  // OK if every Get succeeded and every tensor of the source was taken but
  // those whose full name is in `ignored`, or begins with one in it that ends
  // with a point. Otherwise INVALID_ARGUMENT,
  // NOT_FOUND or DATA_LOSS naming file and tensor.
  absl::Status Finish(const std::set<std::string>& ignored = {}) const;

  // Bytes of all tensors taken or made so far, over the whole tree.
  int64_t taken_bytes() const;

 private:
  struct Tree {
    std::shared_ptr<const TensorSource> source;
    at::ScalarType dtype;
    at::Device device;
    absl::Status status;
    std::set<std::string> taken;
    int64_t taken_bytes = 0;
    // Of a source without values: a fault does not stick, all are named.
    std::vector<std::string> faults = {};
    absl::Status first_fault = {};
  };

  at::Tensor GetAs(const std::string& name, const std::vector<int64_t>& shape,
                   at::ScalarType dtype) const;

  Weights(std::shared_ptr<Tree> tree, std::string prefix)
      : tree_(std::move(tree)), prefix_(std::move(prefix)) {}

  std::shared_ptr<Tree> tree_;
  std::string prefix_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_WEIGHTS_H_
