#include "worker/weights/tensor_heads.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

class TensorHeads : public TensorSource {
 public:
  explicit TensorHeads(std::shared_ptr<const TensorSource> source)
      : source_(std::move(source)) {}

  const std::map<std::string, TensorEntry>& entries() const override {
    return source_->entries();
  }
  absl::StatusOr<at::Tensor> Read(
      const std::string& name, const ReadOptions& /*options*/) const override {
    if (entries().count(name) == 0) return Missing(name);
    return absl::FailedPreconditionError(
        absl::StrCat(path(), ": tensor \"", name, "\" was but looked at"));
  }
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  bool has_values() const override { return false; }
  const std::string& path() const override { return source_->path(); }

 private:
  const std::shared_ptr<const TensorSource> source_;
};

}  // namespace

std::shared_ptr<const TensorSource> HeadsOf(
    std::shared_ptr<const TensorSource> source) {
  return std::make_shared<TensorHeads>(std::move(source));
}

}  // namespace genzo
