#include "worker/adapters/lora_adapter.h"

#include <algorithm>
#include <limits>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/einsum.h"
#include "ATen/ops/kron.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/sqrt.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "c10/util/accumulate.h"
#include "worker/adapters/delta_range.h"
#include "worker/adapters/lora_module_file.h"
#include "worker/adapters/peft_scales.h"

namespace genzo {
namespace {

using Module = AdapterTargets::Module;

constexpr char kDenoiser[] = "denoiser";

// factor [out] of what the delta gives, but for its gain.
void MultiplyOutputs(const at::Tensor& factor, LayerDelta& delta) {
  at::Tensor& rows = delta.up.defined() ? delta.up : delta.whole;
  std::vector<int64_t> sizes(static_cast<size_t>(rows.dim()), 1);
  sizes[0] = -1;
  const at::Tensor placed = factor.to(rows.device(), rows.scalar_type());
  rows = rows * placed.view(sizes);
  if (delta.bias.defined()) delta.bias = delta.bias * placed;
}

}  // namespace

// Reads the modules of one file.
class LoraAdapter::Loader {
 public:
  Loader(const AdapterTargets& targets, const Placement& placement,
         PeftScales scales)
      : targets_(targets),
        placement_(placement),
        scales_(std::move(scales)),
        adapter_(std::make_shared<LoraAdapter>()) {}

  absl::Status Add(const Module& module, const LoraModuleFile& file) {
    absl::Status status = file.Check();
    if (!status.ok()) return status;
    LayerDelta delta;
    at::Tensor magnitude;
    if (file.Has("down") && !file.Has("alpha")) {
      delta.scale = scales_.Of(module.component, file.ModuleName(),
                               file.ShapeOf("down")[0]);
    }
    status = file.Has("down") ? ReadLowRank(file, delta)
             : file.Has("hada_w1_a")
                 ? ReadLoHa(file, delta)
                 : (file.Has("diff") ? Get(file, "diff", delta.whole)
                                     : ReadLoKr(file, delta));
    if (status.ok() && file.Has("magnitude")) {
      status = Get(file, "magnitude", magnitude);
    }
    if (status.ok()) {
      status =
          Named(CheckRange(delta, magnitude, placement_.dtype), module, file);
    }
    if (!status.ok()) return status;
    // Matrices may be written as 1x1 convolutions, and the other way.
    if (delta.whole.defined()) {
      delta.whole = delta.whole.reshape(file.With(module.outputs));
    } else {
      delta.down = delta.down.reshape(file.With(delta.down.size(0)));
    }
    down_ = Place(delta.down);  // that of all its layers
    for (const AdapterTargets::Layer& layer : module.layers) {
      status = AddLayer(module, layer, delta, magnitude);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::shared_ptr<const LoraAdapter> Take() { return std::move(adapter_); }

 private:
  static absl::Status Named(const absl::Status& status, const Module& module,
                            const LoraModuleFile& file) {
    if (status.ok()) return status;
    return absl::Status(
        status.code(),
        absl::StrCat(file.path(), ": layer \"", module.layers[0].name,
                     "\" of the ", module.component, ": \"", file.ModuleName(),
                     "\" ", status.message()));
  }

  static absl::Status Get(const LoraModuleFile& file, const char* part,
                          at::Tensor& value) {
    auto read = file.Read(part);
    if (!read.ok()) return read.status();
    value = *std::move(read);
    return absl::OkStatus();
  }

  // alpha / rank; without alpha it stays.
  static absl::Status ReadScale(const LoraModuleFile& file, int64_t rank,
                                LayerDelta& delta) {
    if (!file.Has("alpha") || rank == 0) return absl::OkStatus();
    at::Tensor alpha;
    const absl::Status status = Get(file, "alpha", alpha);
    if (!status.ok()) return status;
    delta.scale = alpha.item<double>() / static_cast<double>(rank);
    return absl::OkStatus();
  }

  static absl::Status ReadLowRank(const LoraModuleFile& file,
                                  LayerDelta& delta) {
    absl::Status status = Get(file, "down", delta.down);
    if (status.ok()) status = Get(file, "up", delta.up);
    if (status.ok() && file.Has("bias")) {
      status = Get(file, "bias", delta.bias);
    }
    if (!status.ok()) return status;
    const int64_t rank = delta.down.size(0);
    if (file.Has("mid")) {
      at::Tensor mid;
      status = Get(file, "mid", mid);
      if (!status.ok()) return status;
      delta.whole = at::einsum("or,rskl,si->oikl", {delta.up.flatten(1), mid,
                                                    delta.down.flatten(1)});
      delta.down = delta.up = at::Tensor();
    }
    return ReadScale(file, rank, delta);
  }

  // (w1_a w1_b) * (w2_a w2_b), value by value (arXiv:2108.06098).
  static absl::Status ReadLoHa(const LoraModuleFile& file, LayerDelta& delta) {
    at::Tensor factors[2];
    int64_t rank = 0;
    for (int i = 0; i < 2; ++i) {
      const bool first = i == 0;
      at::Tensor a, b, core;
      absl::Status status = Get(file, first ? "hada_w1_a" : "hada_w2_a", a);
      if (status.ok()) {
        status = Get(file, first ? "hada_w1_b" : "hada_w2_b", b);
      }
      if (status.ok() && file.Has("hada_t1")) {
        status = Get(file, first ? "hada_t1" : "hada_t2", core);
      }
      if (!status.ok()) return status;
      if (first) rank = b.size(0);
      factors[i] = core.defined() ? at::einsum("ijkl,jr,ip->prkl", {core, b, a})
                                  : at::matmul(a, b);
    }
    delta.whole = factors[0] * factors[1];
    return ReadScale(file, rank, delta);
  }

  // w1 (x) w2, each perhaps a product itself (arXiv:2212.10650).
  static absl::Status ReadLoKr(const LoraModuleFile& file, LayerDelta& delta) {
    int64_t rank = 0;
    at::Tensor w1, w2;
    absl::Status status = ReadFactor(
        file, {"lokr_w1", "lokr_w1_a", "lokr_w1_b", nullptr}, rank, w1);
    if (status.ok()) {
      status = ReadFactor(
          file, {"lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"}, rank, w2);
    }
    if (!status.ok()) return status;
    while (w1.dim() < w2.dim()) w1 = w1.unsqueeze(-1);
    // kron() asks for values that lie in order, which einsum()'s do not.
    delta.whole = at::kron(w1.contiguous(), w2.contiguous());
    return ReadScale(file, rank, delta);
  }

  struct FactorParts {
    const char *all, *a, *b, *core;
  };
  static absl::Status ReadFactor(const LoraModuleFile& file,
                                 const FactorParts& parts, int64_t& rank,
                                 at::Tensor& factor) {
    if (file.Has(parts.all)) return Get(file, parts.all, factor);
    if (!file.Has(parts.a) || !file.Has(parts.b)) return file.NotRead("");
    at::Tensor a, b, core;
    absl::Status status = Get(file, parts.a, a);
    if (status.ok()) status = Get(file, parts.b, b);
    if (status.ok() && parts.core != nullptr && file.Has(parts.core)) {
      status = Get(file, parts.core, core);
    }
    if (!status.ok()) return status;
    rank = b.size(0);
    factor = core.defined() ? at::einsum("ijkl,ip,jr->prkl", {core, a, b})
                            : at::matmul(a, b.flatten(1));
    return absl::OkStatus();
  }

  static at::Tensor RowsOf(const at::Tensor& tensor,
                           const std::vector<AdapterTargets::Span>& spans) {
    if (!tensor.defined()) return tensor;
    std::vector<at::Tensor> rows;
    for (const auto& span : spans) {
      rows.push_back(tensor.narrow(0, span.begin, span.rows));
    }
    return rows.size() == 1 ? rows[0] : at::cat(rows);
  }

  at::Tensor Place(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    const at::Tensor placed =
        tensor.to(placement_.device, placement_.dtype).contiguous();
    adapter_->bytes_ += static_cast<int64_t>(placed.nbytes());
    return placed;
  }

  absl::Status AddLayer(const Module& module,
                        const AdapterTargets::Layer& target,
                        const LayerDelta& delta, const at::Tensor& magnitude) {
    Layer layer;
    layer.delta.scale = delta.scale;
    const at::Tensor up = RowsOf(delta.up, target.spans);
    const at::Tensor whole = RowsOf(delta.whole, target.spans);
    if (magnitude.defined()) {
      const auto read = targets_.Weight(module.component, target.name);
      if (!read.ok()) return read.status();
      const at::Tensor base = read->flatten(1);
      const at::Tensor own =
          (whole.defined() ? whole.flatten(1)
                           : at::matmul(up.flatten(1), delta.down.flatten(1))) *
          delta.scale;
      layer.magnitude = RowsOf(magnitude.flatten(), target.spans);
      layer.base = (base * base).sum(1);
      layer.both = (base * own).sum(1);
      layer.own = (own * own).sum(1);
    }
    layer.delta.down = down_;
    layer.delta.up = Place(up.defined() ? up.flatten(1) : up);
    layer.delta.whole = Place(whole);
    layer.delta.bias = Place(RowsOf(delta.bias, target.spans));
    adapter_->components_[module.component][target.name].push_back(
        std::move(layer));
    return absl::OkStatus();
  }

  const AdapterTargets& targets_;
  const Placement placement_;
  const PeftScales scales_;
  std::shared_ptr<LoraAdapter> adapter_;
  at::Tensor down_;  // of the module that is being read
};

absl::Status LoraAdapter::Check(const TensorSource& file,
                                const AdapterTargets& targets) {
  return ForLoraModules(
      file, targets,
      [](const Module&, const LoraModuleFile& parts) { return parts.Check(); });
}

LoraLayers LoraAdapter::LayersOf(const TensorSource& file,
                                 const AdapterTargets& targets) {
  LoraLayers layers;
  const absl::Status fits = ForLoraModules(
      file, targets, [&](const Module& module, const LoraModuleFile& parts) {
        for (const AdapterTargets::Layer& layer : module.layers) {
          if (module.component == kDenoiser) {
            layers.denoiser.push_back(layer.name);
          } else {
            layers.text_encoders = true;
          }
        }
        return parts.Check();
      });
  if (!fits.ok()) return {};
  std::sort(layers.denoiser.begin(), layers.denoiser.end());
  layers.denoiser.erase(
      std::unique(layers.denoiser.begin(), layers.denoiser.end()),
      layers.denoiser.end());
  return layers;
}

absl::StatusOr<std::shared_ptr<const LoraAdapter>> LoraAdapter::Load(
    const TensorSource& file, const AdapterTargets& targets,
    const Placement& placement) {
  Loader loader(targets, placement, PeftScales(file.metadata()));
  const absl::Status status = ForLoraModules(
      file, targets,
      [&](const Module& module, const LoraModuleFile& parts) {
        return loader.Add(module, parts);
      },
      [&](const std::vector<std::string>& tensors) {
        spdlog::warn("{}: {} tensors of it are not read, \"{}\" among them",
                     file.path(), tensors.size(), tensors[0]);
      });
  if (!status.ok()) return status;
  return loader.Take();
}

int64_t LoraAdapter::BytesOf(const TensorSource& file,
                             const AdapterTargets& targets,
                             const Placement& placement) {
  int64_t elements = 0;
  // What is wrong with it, Load() tells.
  ForLoraModules(file, targets,
                 [&](const Module& module, const LoraModuleFile& parts) {
                   const bool low_rank = parts.Has("down") && parts.Has("up") &&
                                         !parts.Has("mid");
                   elements +=
                       low_rank
                           ? c10::multiply_integers(parts.ShapeOf("down")) +
                                 c10::multiply_integers(parts.ShapeOf("up"))
                           : c10::multiply_integers(parts.With(module.outputs));
                   if (parts.Has("bias")) elements += module.outputs;
                   return absl::OkStatus();
                 })
      .IgnoreError();
  return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
}

void LoraAdapter::Append(const Layer& layer, double weight,
                         std::vector<LayerDelta>& deltas) {
  LayerDelta& added = deltas.emplace_back(layer.delta);
  added.scale *= weight;
  if (!layer.magnitude.defined()) return;
  // Where the delta takes all of a row away, its norm is nothing but the
  // rounding of these sums, and so would be what a factor makes of the row.
  constexpr double kRounding = 1e-6;
  const at::Tensor own = weight * weight * layer.own;
  const at::Tensor square = layer.base + 2 * weight * layer.both + own;
  const at::Tensor is_nothing = square <= kRounding * (layer.base + own);
  const at::Tensor factor =
      layer.magnitude /
      at::sqrt(square.masked_fill(is_nothing,
                                  std::numeric_limits<double>::infinity()));
  // As PEFT has it: the norm is of the layer's own weights and this adapter,
  // the factor of the result so far.
  at::Tensor gain = factor - 1;
  for (LayerDelta& delta : deltas) {
    if (delta.gain.defined()) gain = gain + delta.gain.to(gain) * factor;
    delta.gain = at::Tensor();
    MultiplyOutputs(factor, delta);
  }
  const at::Tensor& like = added.up.defined() ? added.up : added.whole;
  added.gain = gain.to(like.device(), like.scalar_type());
}

}  // namespace genzo
