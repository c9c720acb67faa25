#include "worker/adapters/lora_adapter.h"

#include <functional>
#include <numeric>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/einsum.h"
#include "ATen/ops/kron.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/sqrt.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/logging.h"
#include "worker/adapters/lora_names.h"
#include "worker/adapters/peft_scales.h"

namespace genzo {
namespace {

using Module = AdapterTargets::Module;

int64_t Product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1},
                         std::multiplies<>());
}

std::string Shape(const std::vector<int64_t>& sizes) {
  return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]");
}

// The tensors of one module of a file, and what is wrong with their sizes.
class ModuleFile {
 public:
  ModuleFile(const TensorSource& file, const std::string& name,
             const LoraParts& parts, const Module& module)
      : file_(file), name_(name), parts_(parts), module_(module) {}

  bool Has(const char* part) const { return parts_.count(part) > 0; }

  // "down_blocks_0_attentions_0_proj_in", with what stands before it.
  const std::string& ModuleName() const { return name_; }

  const std::vector<int64_t>& ShapeOf(const char* part) const {
    return file_.entries().at(parts_.at(part)).shape;
  }

  // Of a rank, which is the first size of `part`.
  absl::Status CheckRank(const char* part) const {
    const auto& shape = ShapeOf(part);
    const int64_t rank = shape.empty() ? 0 : shape[0];
    if (rank >= 1 && rank <= kMaxLoraRank) return absl::OkStatus();
    return Wrong(
        part, absl::StrCat("is of rank ", rank, ", which is not between 1 and ",
                           kMaxLoraRank));
  }

  // Of as many values as `sizes` have, some of which may be 1 more or less:
  // a matrix may be written as a 1x1 convolution.
  absl::Status CheckShape(const char* part,
                          const std::vector<int64_t>& sizes) const {
    const auto without_ones = [](std::vector<int64_t> all) {
      while (!all.empty() && all.back() == 1) all.pop_back();
      return all;
    };
    if (without_ones(ShapeOf(part)) == without_ones(sizes)) {
      return absl::OkStatus();
    }
    return Wrong(
        part, absl::StrCat("is ", Shape(ShapeOf(part)), ", not ", Shape(sizes),
                           ", as it would be for this model"));
  }

  absl::Status Wrong(const char* part, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(
        file_.path(), ": tensor \"", parts_.at(part), "\" ", what));
  }
  absl::Status NotRead(const std::string& what) const {
    return absl::UnimplementedError(
        absl::StrCat(file_.path(), ": tensor \"", parts_.begin()->second,
                     "\" is of a kind of adapter that is not read", what));
  }

  absl::Status Check() const {
    if (Has("magnitude")) {
      // Of a convolution PEFT writes [1, outputs, 1, 1].
      const std::vector<int64_t>& shape = ShapeOf("magnitude");
      const bool of_peft = shape.size() == 4 && shape[0] == 1 &&
                           Product(shape) == module_.outputs;
      const absl::Status status =
          of_peft ? absl::OkStatus()
                  : CheckShape("magnitude", {module_.outputs});
      if (!status.ok()) return status;
    }
    if (Has("bias")) return NotRead("; it has a bias");
    if (Has("alpha") && Product(ShapeOf("alpha")) != 1) {
      return Wrong("alpha", "is not one number");
    }
    if (Has("down") && Has("up")) return CheckLowRank();
    if (Has("hada_w1_a")) return CheckLoHa();
    if (Has("lokr_w1") || Has("lokr_w1_a")) return CheckLoKr();
    if (Has("diff")) return CheckShape("diff", With(module_.outputs));
    return NotRead("; it has no pair of it");
  }

  absl::StatusOr<at::Tensor> Read(const char* part) const {
    return file_.Read(parts_.at(part),
                      {.dtype = at::kFloat, .must_be_finite = true});
  }

  // `first`, then the sizes of the layer's inputs.
  std::vector<int64_t> With(int64_t first) const {
    std::vector<int64_t> sizes = {first};
    sizes.insert(sizes.end(), module_.inputs.begin(), module_.inputs.end());
    return sizes;
  }

 private:
  absl::Status CheckLowRank() const {
    absl::Status status = CheckRank("down");
    if (!status.ok()) return status;
    const int64_t rank = ShapeOf("down")[0];
    if (Has("mid")) {  // the kernel is between two 1x1 convolutions
      status = CheckShape("down", {rank, module_.inputs[0]});
      std::vector<int64_t> kernel = With(rank);
      kernel[1] = rank;
      if (status.ok()) status = CheckShape("mid", kernel);
    } else {
      status = CheckShape("down", With(rank));
    }
    return status.ok() ? CheckShape("up", {module_.outputs, rank}) : status;
  }

  absl::Status CheckLoHa() const {
    for (const char* part : {"hada_w1_b", "hada_w2_a", "hada_w2_b"}) {
      if (!Has(part)) return NotRead(absl::StrCat("; it has no ", part));
    }
    if (Has("hada_t1") != Has("hada_t2")) return NotRead("");
    for (const auto& [a, b, core] :
         {std::tuple("hada_w1_a", "hada_w1_b", "hada_t1"),
          std::tuple("hada_w2_a", "hada_w2_b", "hada_t2")}) {
      absl::Status status = CheckRank(b);
      if (!status.ok()) return status;
      const int64_t rank = ShapeOf(b)[0];
      if (Has(core)) {
        std::vector<int64_t> kernel = With(rank);
        kernel[1] = rank;
        status = CheckShape(core, kernel);
        if (status.ok()) status = CheckShape(a, {rank, module_.outputs});
        if (status.ok()) status = CheckShape(b, {rank, module_.inputs[0]});
      } else {
        status = CheckShape(a, {module_.outputs, rank});
        if (status.ok())
          status = CheckShape(b, {rank, Product(module_.inputs)});
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // The sizes of the two factors multiply to the layer's.
  absl::Status CheckLoKr() const {
    int64_t outputs = 1;
    int64_t inputs = 1;
    for (const auto& [all, a, b, core] :
         {std::tuple("lokr_w1", "lokr_w1_a", "lokr_w1_b", ""),
          std::tuple("lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")}) {
      if (Has(all)) {
        const auto& shape = ShapeOf(all);
        if (shape.size() < 2) return Wrong(all, "is no matrix");
        outputs *= shape[0];
        inputs *= Product({shape.begin() + 1, shape.end()});
        continue;
      }
      if (!Has(a) || !Has(b)) return NotRead("; a factor is not there");
      const absl::Status status = CheckRank(b);
      if (!status.ok()) return status;
      const int64_t rank = ShapeOf(b)[0];
      const auto& left = ShapeOf(a);
      if (left.size() != 2) return Wrong(a, "is no matrix");
      const bool tucker = Has(core);
      if (left[tucker ? 0 : 1] != rank) return Wrong(a, "is of another rank");
      outputs *= left[tucker ? 1 : 0];
      inputs *= Product(ShapeOf(b)) / rank;
      if (!tucker) continue;
      const auto& kernel = ShapeOf(core);
      if (kernel.size() != 4 || kernel[0] != rank || kernel[1] != rank) {
        return Wrong(core, "is of another rank");
      }
      inputs *= kernel[2] * kernel[3];
    }
    if (outputs == module_.outputs && inputs == Product(module_.inputs)) {
      return absl::OkStatus();
    }
    return Wrong(
        Has("lokr_w1") ? "lokr_w1" : "lokr_w1_a",
        absl::StrCat("and the other factor make [", outputs, ", ", inputs,
                     "], not [", module_.outputs, ", ", Product(module_.inputs),
                     "], as they would for this model"));
  }

  const TensorSource& file_;
  const std::string& name_;
  const LoraParts& parts_;
  const Module& module_;
};

// What of a file is for this model: module by module.
using Visit = std::function<absl::Status(const Module&, const ModuleFile&)>;
using Unread = std::function<void(const std::vector<std::string>& tensors)>;
absl::Status ForModules(const TensorSource& file, const AdapterTargets& targets,
                        const Visit& visit, const Unread& on_unread = nullptr) {
  const LoraNames names = ReadLoraNames(file.entries());
  if (names.modules.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(),
                     ": is no adapter: no tensor has the name "
                     "of one's"));
  }
  bool any = false;
  std::vector<std::string> unread = names.strangers;
  for (const auto& [name, parts] : names.modules) {
    std::string component;
    const Module* module = targets.Find(name, component);
    if (module == nullptr) {
      // Of an encoder that this model lacks, or reads without adapters; of one
      // of its parts that has none, as its norms and embeddings.
      if (component != "denoiser") {
        if (targets.Has(component)) unread.push_back(parts.begin()->second);
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat(file.path(), ": tensor \"", parts.begin()->second,
                       "\" is for a layer that this model does not have"));
    }
    const absl::Status status =
        visit(*module, ModuleFile(file, name, parts, *module));
    if (!status.ok()) return status;
    any = true;
  }
  if (!any) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": has nothing for this model"));
  }
  if (!unread.empty() && on_unread) on_unread(unread);
  return absl::OkStatus();
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

  absl::Status Add(const Module& module, const ModuleFile& file) {
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
  static absl::Status Get(const ModuleFile& file, const char* part,
                          at::Tensor& value) {
    auto read = file.Read(part);
    if (!read.ok()) return read.status();
    value = *std::move(read);
    return absl::OkStatus();
  }

  // alpha / rank; 1 without alpha.
  static absl::Status ReadScale(const ModuleFile& file, int64_t rank,
                                LayerDelta& delta) {
    if (!file.Has("alpha") || rank == 0) return absl::OkStatus();
    at::Tensor alpha;
    const absl::Status status = Get(file, "alpha", alpha);
    if (!status.ok()) return status;
    delta.scale = alpha.item<double>() / static_cast<double>(rank);
    return absl::OkStatus();
  }

  static absl::Status ReadLowRank(const ModuleFile& file, LayerDelta& delta) {
    absl::Status status = Get(file, "down", delta.down);
    if (status.ok()) status = Get(file, "up", delta.up);
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
  static absl::Status ReadLoHa(const ModuleFile& file, LayerDelta& delta) {
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
  static absl::Status ReadLoKr(const ModuleFile& file, LayerDelta& delta) {
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
  static absl::Status ReadFactor(const ModuleFile& file,
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
  return ForModules(file, targets, [](const Module&, const ModuleFile& parts) {
    return parts.Check();
  });
}

absl::StatusOr<std::shared_ptr<const LoraAdapter>> LoraAdapter::Load(
    const TensorSource& file, const AdapterTargets& targets,
    const Placement& placement) {
  Loader loader(targets, placement, PeftScales(file.metadata()));
  const absl::Status status = ForModules(
      file, targets,
      [&](const Module& module, const ModuleFile& parts) {
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
  ForModules(file, targets, [&](const Module& module, const ModuleFile& parts) {
    const bool low_rank =
        parts.Has("down") && parts.Has("up") && !parts.Has("mid");
    elements +=
        low_rank ? Product(parts.ShapeOf("down")) + Product(parts.ShapeOf("up"))
                 : Product(parts.With(module.outputs));
    return absl::OkStatus();
  }).IgnoreError();
  return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
}

LayerDelta LoraAdapter::At(const Layer& layer, double weight) {
  LayerDelta delta = layer.delta;
  delta.scale *= weight;
  if (!layer.magnitude.defined()) return delta;
  const at::Tensor& like = delta.up.defined() ? delta.up : delta.whole;
  const at::Tensor factor =
      layer.magnitude / at::sqrt(layer.base + 2 * weight * layer.both +
                                 weight * weight * layer.own);
  const auto placed = [&](const at::Tensor& tensor) {
    return tensor.to(like.device(), like.scalar_type());
  };
  delta.gain = placed(factor - 1);
  const at::Tensor rows = placed(factor);
  if (delta.up.defined()) {
    delta.up = delta.up * rows.unsqueeze(1);
  } else {
    std::vector<int64_t> sizes(static_cast<size_t>(delta.whole.dim()), 1);
    sizes[0] = -1;
    delta.whole = delta.whole * rows.view(sizes);
  }
  return delta;
}

}  // namespace genzo
