#include "worker/weights/scaled_tensors.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/isfinite.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr const char* kScales[] = {".scale_weight", ".weight_scale"};
// What other programs need to quantise activations, or to know the format.
constexpr const char* kUnused[] = {".scale_input", ".input_scale",
                                   ".comfy_quant"};
constexpr char kMarker[] = "scaled_fp8";

bool IsFloat8(at::ScalarType dtype) {
  return dtype == at::kFloat8_e4m3fn || dtype == at::kFloat8_e5m2;
}

// "X.weight" of "X.scale_weight"; empty if `name` is no scale.
std::string ScaledName(const std::string& name) {
  for (const std::string suffix : kScales) {
    if (absl::EndsWith(name, suffix)) {
      return name.substr(0, name.size() - suffix.size()) + ".weight";
    }
  }
  return "";
}

bool IsUnused(const std::string& name) {
  for (const char* suffix : kUnused) {
    if (absl::EndsWith(name, suffix)) return true;
  }
  return name == kMarker || absl::EndsWith(name, absl::StrCat(".", kMarker));
}

}  // namespace

bool HasScales(const TensorSource& source) {
  for (const auto& [name, entry] : source.entries()) {
    if (!ScaledName(name).empty() || IsUnused(name)) return true;
  }
  return false;
}

absl::StatusOr<std::shared_ptr<const TensorSource>> ScaledTensors::Create(
    std::shared_ptr<const TensorSource> source) {
  std::shared_ptr<ScaledTensors> scaled(new ScaledTensors(std::move(source)));
  const auto& all = scaled->source_->entries();
  for (const auto& [name, entry] : all) {
    if (IsUnused(name)) continue;
    const std::string target = ScaledName(name);
    if (target.empty()) {
      scaled->entries_.insert({name, entry});
      continue;
    }
    const auto found = all.find(target);
    const auto invalid = [&, &name = name](const std::string& what) {
      return absl::InvalidArgumentError(
          absl::StrCat(scaled->path(), ": scale \"", name, "\" ", what));
    };
    if (found == all.end() || !IsFloat8(found->second.dtype) ||
        found->second.shape.empty()) {
      return invalid(absl::StrCat("has no float8 tensor \"", target, "\""));
    }
    const int64_t rows = found->second.shape[0];
    if (!c10::isFloatingType(entry.dtype) ||
        (entry.elements() != 1 && entry.elements() != rows)) {
      return invalid(absl::StrCat("has ", entry.elements(),
                                  " elements, neither 1 nor one for each of ",
                                  rows, " rows"));
    }
    if (!scaled->scale_of_.emplace(target, name).second) {
      return invalid(absl::StrCat("is the second of \"", target, "\""));
    }
  }
  for (const auto& scale : scaled->scale_of_) {
    TensorEntry& entry = scaled->entries_.at(scale.first);
    entry.size_bytes *= c10::elementSize(at::kFloat);
    entry.stored_dtype = entry.dtype;
    entry.dtype = at::kFloat;
  }
  return std::shared_ptr<const TensorSource>(std::move(scaled));
}

absl::StatusOr<at::Tensor> ScaledTensors::Read(
    const std::string& name, const ReadOptions& options) const {
  if (entries_.count(name) == 0) return Missing(name);
  const auto scale_name = scale_of_.find(name);
  if (scale_name == scale_of_.end()) return source_->Read(name, options);
  ReadOptions in_float = options;
  in_float.dtype = at::kFloat;
  const auto stored = source_->Read(name, in_float);
  if (!stored.ok()) return stored.status();
  const auto scale = source_->Read(
      scale_name->second, {.dtype = at::kFloat, .must_be_finite = true});
  if (!scale.ok()) return scale.status();
  at::Tensor factors = scale->reshape({-1});
  if (factors.numel() > 1) {
    if (options.rows.has_value()) {
      factors = factors.narrow(0, options.rows->begin, options.rows->count);
    }
    std::vector<int64_t> shape(stored->dim(), 1);
    shape[0] = -1;
    factors = factors.view(shape);
  }
  const at::Tensor values =
      (*stored * factors).to(options.dtype.value_or(at::kFloat));
  if (options.must_be_finite && !at::isfinite(values).all().item<bool>()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path(), ": infinity or NaN with its scale: tensor \"", name, "\""));
  }
  return values;
}

absl::StatusOr<std::shared_ptr<const TensorSource>> WithTrueValues(
    absl::StatusOr<std::shared_ptr<const TensorSource>> source) {
  if (!source.ok() || !HasScales(**source)) return source;
  return ScaledTensors::Create(*std::move(source));
}

}  // namespace genzo
