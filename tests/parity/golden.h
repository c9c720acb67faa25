#ifndef GENZO_TESTS_PARITY_GOLDEN_H_
#define GENZO_TESTS_PARITY_GOLDEN_H_

#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/sampler/noise_source.h"
#include "worker/weights/safetensors.h"

// What the parity cases share: recorded tensors, comparison, a line of output.

namespace genzo::parity {

// The manifest and the tensors of one file pair, NAME.json and
// NAME.safetensors.
struct Golden {
  nlohmann::json manifest;
  std::shared_ptr<const SafetensorsFile> tensors;

  bool Has(const std::string& name) const;
  // Throws if the tensor is missing: a golden without it is broken.
  at::Tensor Tensor(const std::string& name) const;
};

absl::StatusOr<Golden> ReadGolden(const std::string& path_without_suffix);

// Hands out recorded noise instead of drawing.
class RecordedNoise : public NoiseSource {
 public:
  explicit RecordedNoise(std::vector<at::Tensor> draws)
      : draws_(std::move(draws)) {}
  at::Tensor Draw(at::IntArrayRef shape) override;
  at::Tensor Between(at::IntArrayRef shape, double sigma_from,
                     double sigma_to) override;
  std::string Save() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  std::vector<at::Tensor> draws_;
  size_t next_ = 0;
};

// Largest difference relative to the largest magnitude of `expected`; infinite
// where shapes differ or a value is not finite.
double RelativeDifference(const at::Tensor& actual, const at::Tensor& expected);

// What a case is held to: in float32 every tensor, in half precision
// (bfloat16, float16) the pictures that come out, and ids.
enum class Precision { kFloat32, kHalf };

// The outcome of one case, filled in as it is compared.
class Report {
 public:
  explicit Report(std::string name, Precision precision = Precision::kFloat32)
      : name_(std::move(name)), precision_(precision) {}

  // Adds a figure; the case fails if it is over `bound`.
  void Compare(const std::string& what, double difference, double bound);
  // RelativeDifference against the fp32 bound of 1e-4; in half precision a
  // figure without a bound.
  void CompareTensors(const std::string& what, const at::Tensor& actual,
                      const at::Tensor& expected);
  // Pictures [B, 3, H, W] in [-1, 1] against [B, H, W, 3] uint8: the largest
  // difference of a value, of which 1 is rounding; in half precision the root
  // mean square difference of a picture, at most 8.06: a PSNR of 30 dB.
  void CompareImages(const at::Tensor& decoded, const at::Tensor& expected);
  void Unsupported(const std::string& reason);
  void Fail(const std::string& reason);
  // What is not implemented is not supported, anything else a failure.
  void End(const absl::Status& status);

  Precision precision() const { return precision_; }
  bool failed() const { return failed_; }
  bool unsupported() const { return !unsupported_.empty(); }
  const std::string& name() const { return name_; }
  bool passed() const { return !failed() && !unsupported(); }
  // "name  figures  PASS", or FAIL or UNSUPPORTED with the reason.
  std::string Line() const;

 private:
  struct Figure {
    std::string what;
    double difference;
    double bound;
  };

  std::string name_;
  Precision precision_;
  std::vector<Figure> figures_;  // the largest of each name
  std::string unsupported_;
  std::string failure_;
  bool failed_ = false;
};

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_GOLDEN_H_
