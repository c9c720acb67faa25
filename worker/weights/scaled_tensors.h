#ifndef GENZO_WORKER_WEIGHTS_SCALED_TENSORS_H_
#define GENZO_WORKER_WEIGHTS_SCALED_TENSORS_H_

#include <map>
#include <memory>
#include <string>

#include "worker/weights/tensor_source.h"

namespace genzo {

// Whether float8 tensors of `source` come with scales of their own, under the
// names that exporters use: "X.weight" with "X.scale_weight" or
// "X.weight_scale", one number or one a row.
bool HasScales(const TensorSource& source);

// A view in which such tensors have their true values. Scales, scales of
// activations and markers ("scaled_fp8") are not in it. Files whose float8
// tensors have no scales hold true values and need no view.
class ScaledTensors : public TensorSource {
 public:
  // INVALID_ARGUMENT names file and tensor: a scale of another shape, or beside
  // a tensor that is not float8.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Create(
      std::shared_ptr<const TensorSource> source);

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  using TensorSource::Read;
  // A scaled tensor that is read as stored is float32, as its entry says.
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  const std::string& path() const override { return source_->path(); }

 private:
  explicit ScaledTensors(std::shared_ptr<const TensorSource> source)
      : source_(std::move(source)) {}

  const std::shared_ptr<const TensorSource> source_;
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, std::string> scale_of_;  // by tensor
};

// The true values of a source that was just opened: itself, where nothing in it
// has a scale. Errors of opening and of ScaledTensors::Create().
absl::StatusOr<std::shared_ptr<const TensorSource>> WithTrueValues(
    absl::StatusOr<std::shared_ptr<const TensorSource>> source);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SCALED_TENSORS_H_
