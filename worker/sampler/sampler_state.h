#ifndef GENZO_WORKER_SAMPLER_SAMPLER_STATE_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_STATE_H_

#include <cstdint>
#include <map>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

// A sampler between two evaluations as named fields, and as bytes
// (internal.v1.SamplerState). A value: later moves of the sampler do not change
// it.
class SamplerState {
 public:
  void SetTensor(const std::string& name, at::Tensor value);
  void SetInteger(const std::string& name, int64_t value);
  void SetNumber(const std::string& name, double value);
  void SetText(const std::string& name, std::string value);

  // The same state always gives the same bytes. Tensors are float32 or
  // float64, on any device.
  std::string Serialize() const;

  // INVALID_ARGUMENT names the tensor whose type, shape and bytes do not agree.
  static absl::StatusOr<SamplerState> Parse(const std::string& bytes);

 private:
  friend class StateReader;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, int64_t> integers_;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
};

// Reads fields and keeps the first fault, INVALID_ARGUMENT with the field's
// name, so that all can be read before asking. What is faulty reads as the
// stated stand-in.
class StateReader {
 public:
  explicit StateReader(const SamplerState& state) : state_(state) {}

  // Must have shape and type of `like`, which stands in.
  at::Tensor Tensor(const std::string& name, const at::Tensor& like);
  // Must be between `min`, which stands in, and `max`.
  int64_t Integer(const std::string& name, int64_t min, int64_t max);
  double Number(const std::string& name);     // 0 stands in
  std::string Text(const std::string& name);  // "" stands in

  // Records that the field `name` is at fault: "sampler state: NAME MESSAGE".
  void Fail(const std::string& name, absl::string_view message);
  const absl::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }

 private:
  // The field's value, or null and a fault.
  template <typename Value>
  const Value* Find(const std::map<std::string, Value>& values,
                    const std::string& name);

  const SamplerState& state_;
  absl::Status status_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_STATE_H_
