#include "worker/weights/weights.h"

#include <algorithm>

#include "ATen/ops/empty.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

// Looking at every value costs up to a quarter of the time to read them;
// tensors up to this size cost nothing to speak of, and a small decoder has no
// others.
constexpr size_t kMostCheckedBytes = 256 << 10;

bool IsIn(const std::set<std::string>& names, const std::string& name) {
  return names.count(name) > 0 ||
         std::any_of(names.begin(), names.end(), [&](const std::string& tree) {
           return absl::EndsWith(tree, ".") && absl::StartsWith(name, tree);
         });
}

}  // namespace

Weights::Weights(std::shared_ptr<const TensorSource> source,
                 at::ScalarType dtype, at::Device device)
    : tree_(std::make_shared<Tree>(
          Tree{std::move(source), dtype, device, absl::OkStatus(), {}, 0})) {}

Weights Weights::operator[](const std::string& segment) const {
  return Weights(tree_, absl::StrCat(prefix_, segment, "."));
}

Weights Weights::At(const std::string& segment, int64_t index) const {
  return Weights(tree_, absl::StrCat(prefix_, segment, ".", index, "."));
}

bool Weights::Has(const std::string& name) const {
  return tree_->source->entries().count(absl::StrCat(prefix_, name)) > 0;
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
  const auto fail = [&](absl::StatusCode code, const std::string& message) {
    tree_->status =
        absl::Status(code, absl::StrCat(tree_->source->path(), ": tensor \"",
                                        full_name, "\" ", message));
    return nothing;
  };
  const auto entry = tree_->source->entries().find(full_name);
  if (entry == tree_->source->entries().end()) {
    return fail(absl::StatusCode::kNotFound, "is missing");
  }
  if (entry->second.shape != shape) {
    return fail(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("has shape [", absl::StrJoin(entry->second.shape, ", "),
                     "], the configuration needs [", absl::StrJoin(shape, ", "),
                     "]"));
  }
  if (!c10::isFloatingType(entry->second.dtype)) {
    return fail(absl::StatusCode::kInvalidArgument,
                "is not of a floating point type");
  }
  const auto read = tree_->source->Read(
      full_name,
      {.dtype = dtype,
       .must_be_finite = entry->second.size_bytes <= kMostCheckedBytes});
  if (!read.ok()) {
    tree_->status = read.status();
    return nothing;
  }
  const at::Tensor tensor = read->to(tree_->device);
  tree_->taken.insert(full_name);
  tree_->taken_bytes += static_cast<int64_t>(tensor.nbytes());
  return tensor;
}

void Weights::Rename(const RenameTable& table) const {
  auto renamed = RenamedTensors::Create(tree_->source, table);
  if (renamed.ok()) {
    tree_->source = *std::move(renamed);
  } else if (tree_->status.ok()) {
    tree_->status = renamed.status();
  }
}

void Weights::LeaveOut() const {
  for (const auto& entry : tree_->source->entries()) {
    if (absl::StartsWith(entry.first, prefix_)) {
      tree_->taken.insert(entry.first);
    }
  }
}

absl::Status Weights::Finish(const std::set<std::string>& ignored) const {
  if (!tree_->status.ok()) return tree_->status;
  for (const auto& entry : tree_->source->entries()) {
    if (tree_->taken.count(entry.first) > 0 || IsIn(ignored, entry.first)) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        tree_->source->path(), ": tensor \"", entry.first,
        "\" has no place in the architecture of the configuration"));
  }
  return absl::OkStatus();
}

int64_t Weights::taken_bytes() const { return tree_->taken_bytes; }

}  // namespace genzo
