#include "worker/weights/weights.h"

#include "ATen/ops/empty.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {

Weights::Weights(std::shared_ptr<const SafetensorsFile> file,
                 at::ScalarType dtype, at::Device device)
    : tree_(std::make_shared<Tree>(
          Tree{std::move(file), dtype, device, absl::OkStatus(), {}, 0})) {}

Weights Weights::operator[](const std::string& segment) const {
  return Weights(tree_, absl::StrCat(prefix_, segment, "."));
}

Weights Weights::At(const std::string& segment, int64_t index) const {
  return Weights(tree_, absl::StrCat(prefix_, segment, ".", index, "."));
}

bool Weights::Has(const std::string& name) const {
  return tree_->file->entries().count(absl::StrCat(prefix_, name)) > 0;
}

at::Tensor Weights::Get(const std::string& name,
                        const std::vector<int64_t>& shape) const {
  return GetAs(name, shape, tree_->dtype);
}

at::Tensor Weights::GetFloat(const std::string& name,
                             const std::vector<int64_t>& shape) const {
  return GetAs(name, shape, at::kFloat);
}

at::Tensor Weights::PeekFloat(const std::string& name,
                              const std::vector<int64_t>& shape) const {
  const at::Tensor tensor = GetFloat(name, shape);
  AddBytes(-static_cast<int64_t>(tensor.nbytes()));
  return tensor;
}

at::Tensor Weights::GetAs(const std::string& name,
                          const std::vector<int64_t>& shape,
                          at::ScalarType dtype) const {
  const at::Tensor nothing = at::empty({0});
  if (!tree_->status.ok()) return nothing;
  const std::string full_name = absl::StrCat(prefix_, name);
  const auto stored = tree_->file->Read(full_name);
  if (!stored.ok()) {
    tree_->status = stored.status();
    return nothing;
  }
  if (stored->sizes() != at::IntArrayRef(shape)) {
    tree_->status = absl::InvalidArgumentError(absl::StrCat(
        tree_->file->path(), ": tensor \"", full_name, "\" has shape [",
        absl::StrJoin(stored->sizes(), ", "), "], the configuration needs [",
        absl::StrJoin(shape, ", "), "]"));
    return nothing;
  }
  if (!stored->is_floating_point()) {
    tree_->status = absl::InvalidArgumentError(
        absl::StrCat(tree_->file->path(), ": tensor \"", full_name,
                     "\" is not of a floating point type"));
    return nothing;
  }
  // A copy even where nothing changes: a file that shrinks under its mapping
  // would otherwise kill the process in the middle of a picture.
  const at::Tensor tensor = stored->to(tree_->device, dtype,
                                       /*non_blocking=*/false, /*copy=*/true);
  tree_->taken.insert(full_name);
  tree_->taken_bytes += static_cast<int64_t>(tensor.nbytes());
  return tensor;
}

void Weights::LeaveOut() const {
  for (const auto& entry : tree_->file->entries()) {
    if (absl::StartsWith(entry.first, prefix_)) {
      tree_->taken.insert(entry.first);
    }
  }
}

absl::Status Weights::Finish(const std::set<std::string>& ignored) const {
  if (!tree_->status.ok()) return tree_->status;
  for (const auto& entry : tree_->file->entries()) {
    if (tree_->taken.count(entry.first) + ignored.count(entry.first) > 0) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        tree_->file->path(), ": tensor \"", entry.first,
        "\" has no place in the architecture of the configuration"));
  }
  return absl::OkStatus();
}

int64_t Weights::taken_bytes() const { return tree_->taken_bytes; }

}  // namespace genzo
