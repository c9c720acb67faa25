#include "tests/parity/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/max.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/media/pixel_tensors.h"
#include "worker/weights/json_config.h"

namespace genzo::parity {
namespace {

constexpr double kFp32Bound = 1e-4;
constexpr double kRmsOf30Db = 8.0638;  // 255 / 10^(30 / 20)

}  // namespace

bool Golden::Has(const std::string& name) const {
  return tensors->entries().count(name) > 0;
}

at::Tensor Golden::Tensor(const std::string& name) const {
  const auto tensor = tensors->Read(name);
  if (!tensor.ok()) {
    throw std::runtime_error(std::string(tensor.status().message()));
  }
  return *tensor;
}

absl::StatusOr<Golden> ReadGolden(const std::string& path_without_suffix) {
  auto manifest = JsonConfig::ReadFile(path_without_suffix + ".json");
  if (!manifest.ok()) return manifest.status();
  Golden golden;
  golden.manifest = manifest->object();
  auto tensors = SafetensorsFile::Open(path_without_suffix + ".safetensors");
  if (!tensors.ok()) return tensors.status();
  golden.tensors = *std::move(tensors);
  return golden;
}

at::Tensor RecordedNoise::Draw(at::IntArrayRef shape) {
  if (next_ == draws_.size() || draws_[next_].sizes() != shape) {
    throw std::runtime_error(
        absl::StrCat("draw ", next_, " is not in the recorded noise"));
  }
  return draws_[next_++];
}

at::Tensor RecordedNoise::Between(at::IntArrayRef /*shape*/,
                                  double /*sigma_from*/, double /*sigma_to*/) {
  throw std::runtime_error("noise between sigmas is not recorded");
}

std::string RecordedNoise::Save() const { return absl::StrCat(next_); }

absl::Status RecordedNoise::Restore(const std::string& state) {
  if (absl::SimpleAtoi(state, &next_)) return absl::OkStatus();
  return absl::InvalidArgumentError("not a position in recorded noise");
}

double RelativeDifference(const at::Tensor& actual,
                          const at::Tensor& expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (actual.sizes() != expected.sizes()) return kInfinity;
  const at::Tensor a = actual.to(at::kCPU, at::kDouble);
  const at::Tensor b = expected.to(at::kDouble);
  const double largest = at::max(at::abs(b)).item<double>();
  const double difference = at::max(at::abs(a - b)).item<double>();
  const double relative = largest > 0 ? difference / largest : difference;
  return std::isfinite(relative) ? relative : kInfinity;
}

void Report::Compare(const std::string& what, double difference, double bound) {
  failed_ = failed_ || !(difference <= bound);
  for (Figure& figure : figures_) {
    if (figure.what != what) continue;
    figure.difference = std::max(figure.difference, difference);
    return;
  }
  figures_.push_back({what, difference, bound});
}

void Report::CompareTensors(const std::string& what, const at::Tensor& actual,
                            const at::Tensor& expected) {
  Compare(what, RelativeDifference(actual, expected),
          precision_ == Precision::kHalf
              ? std::numeric_limits<double>::infinity()
              : kFp32Bound);
}

void Report::CompareImages(const at::Tensor& decoded,
                           const at::Tensor& expected) {
  for (int64_t i = 0; i < decoded.size(0); ++i) {
    const Pixels pixels = ToPixels(decoded[i]);
    const at::Tensor image = expected[i].contiguous();
    int largest = 255;
    double squares = 255 * 255;
    if (static_cast<size_t>(image.numel()) == pixels.rgb.size()) {
      largest = 0;
      squares = 0;
      for (size_t j = 0; j < pixels.rgb.size(); ++j) {
        const int off = std::abs(static_cast<unsigned char>(pixels.rgb[j]) -
                                 image.const_data_ptr<uint8_t>()[j]);
        largest = std::max(largest, off);
        squares += off * off / static_cast<double>(pixels.rgb.size());
      }
    }
    if (precision_ == Precision::kFloat32) {
      Compare("image", largest, 1);
    } else {
      Compare("rms", std::sqrt(squares), kRmsOf30Db);
    }
  }
}

void Report::Unsupported(const std::string& reason) { unsupported_ = reason; }

void Report::Fail(const std::string& reason) {
  failed_ = true;
  failure_ = reason;
}

void Report::End(const absl::Status& status) {
  const std::string reason(status.message());
  absl::IsUnimplemented(status) ? Unsupported(reason) : Fail(reason);
}

std::string Report::Line() const {
  std::string line = absl::StrFormat("%-44s", name_);
  for (const Figure& figure : figures_) {
    absl::StrAppendFormat(&line, " %s %.2g%s", figure.what, figure.difference,
                          figure.difference <= figure.bound ? "" : "(!)");
  }
  if (unsupported()) return absl::StrCat(line, " UNSUPPORTED ", unsupported_);
  if (failed_) return absl::StrCat(line, " FAIL ", failure_);
  return absl::StrCat(line, " PASS");
}

}  // namespace genzo::parity
