#include "worker/weights/weights.h"

#include <algorithm>

#include "ATen/ops/empty.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/tensor_heads.h"

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

// Whether the tensor is there, and as it must be.
absl::Status CheckEntry(const std::map<std::string, TensorEntry>& entries,
                        const std::string& name,
                        const std::vector<int64_t>& shape) {
  const auto fault = [&](absl::StatusCode code, const std::string& message) {
    return absl::Status(code, absl::StrCat("tensor \"", name, "\" ", message));
  };
  const auto entry = entries.find(name);
  if (entry == entries.end()) {
    return fault(absl::StatusCode::kNotFound, "is missing");
  }
  if (entry->second.shape != shape) {
    return fault(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("has shape [", absl::StrJoin(entry->second.shape, ", "),
                     "], the configuration needs [", absl::StrJoin(shape, ", "),
                     "]"));
  }
  return c10::isFloatingType(entry->second.dtype)
             ? absl::OkStatus()
             : fault(absl::StatusCode::kInvalidArgument,
                     "is not of a floating point type");
}

}  // namespace

Weights::Weights(std::shared_ptr<const TensorSource> source,
                 at::ScalarType dtype, at::Device device)
    : tree_(std::make_shared<Tree>(
          Tree{std::move(source), dtype, device, absl::OkStatus(), {}, 0})) {}

Weights Weights::OfEntries(std::shared_ptr<const TensorSource> source) {
  return Weights(HeadsOf(std::move(source)), at::kFloat, at::kCPU);
}

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
  const TensorSource& source = *tree_->source;
  const absl::Status fits = CheckEntry(source.entries(), full_name, shape);
  const auto fault = [&] {
    return absl::Status(fits.code(),
                        absl::StrCat(source.path(), ": ", fits.message()));
  };
  if (!source.has_values()) {
    tree_->taken.insert(full_name);
    if (fits.ok()) return nothing;
    if (tree_->faults.empty()) tree_->first_fault = fault();
    tree_->faults.emplace_back(fits.message());
    return nothing;
  }
  if (!fits.ok()) {
    tree_->status = fault();
    return nothing;
  }
  const auto read = source.Read(
      full_name, {.dtype = dtype,
                  .must_be_finite = source.entries().at(full_name).size_bytes <=
                                    kMostCheckedBytes});
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

std::vector<std::string> Weights::Surplus(
    const std::set<std::string>& ignored) const {
  std::vector<std::string> surplus;
  for (const auto& entry : tree_->source->entries()) {
    const std::string& name = entry.first;
    if (tree_->taken.count(name) == 0 && !IsIn(ignored, name)) {
      surplus.push_back(name);
    }
  }
  return surplus;
}

absl::Status Weights::Finish(const std::set<std::string>& ignored) const {
  if (!tree_->status.ok()) return tree_->status;
  if (!tree_->first_fault.ok()) return tree_->first_fault;
  const std::vector<std::string> surplus = Surplus(ignored);
  if (surplus.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(tree_->source->path(), ": tensor \"", surplus[0],
                   "\" has no place in the architecture of the configuration"));
}

int64_t Weights::taken_bytes() const { return tree_->taken_bytes; }

}  // namespace genzo
