#include "worker/adapters/lora_module_file.h"

#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "c10/util/accumulate.h"

namespace genzo {
namespace {

std::string Shape(const std::vector<int64_t>& sizes) {
  return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]");
}

}  // namespace

absl::Status LoraModuleFile::CheckRank(const char* part) const {
  const auto& shape = ShapeOf(part);
  const int64_t rank = shape.empty() ? 0 : shape[0];
  if (rank >= 1 && rank <= kMaxLoraRank) return absl::OkStatus();
  return Wrong(
      part, absl::StrCat("is of rank ", rank, ", which is not between 1 and ",
                         kMaxLoraRank));
}

absl::Status LoraModuleFile::CheckShape(
    const char* part, const std::vector<int64_t>& sizes) const {
  const auto without_ones = [](std::vector<int64_t> all) {
    while (!all.empty() && all.back() == 1) all.pop_back();
    return all;
  };
  if (without_ones(ShapeOf(part)) == without_ones(sizes)) {
    return absl::OkStatus();
  }
  return Wrong(part,
               absl::StrCat("is ", Shape(ShapeOf(part)), ", not ", Shape(sizes),
                            ", as it would be for this model"));
}

absl::Status LoraModuleFile::Wrong(const char* part,
                                   const std::string& what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_.path(), ": tensor \"", parts_.at(part), "\" ", what));
}

absl::Status LoraModuleFile::NotRead(const std::string& what) const {
  return absl::UnimplementedError(
      absl::StrCat(file_.path(), ": tensor \"", parts_.begin()->second,
                   "\" is of a kind of adapter that is not read", what));
}

absl::Status LoraModuleFile::Check() const {
  if (Has("magnitude")) {
    // Of a convolution PEFT writes [1, outputs, 1, 1].
    const std::vector<int64_t>& shape = ShapeOf("magnitude");
    const bool of_peft = shape.size() == 4 && shape[0] == 1 &&
                         c10::multiply_integers(shape) == module_.outputs;
    const absl::Status status =
        of_peft ? absl::OkStatus() : CheckShape("magnitude", {module_.outputs});
    if (!status.ok()) return status;
  }
  if (Has("bias")) {
    // PEFT has one beside a low rank alone, and none with magnitudes.
    if (!Has("up") || Has("magnitude")) return NotRead("; it has a bias");
    const absl::Status status = CheckShape("bias", {module_.outputs});
    if (!status.ok()) return status;
  }
  if (Has("alpha") && c10::multiply_integers(ShapeOf("alpha")) != 1) {
    return Wrong("alpha", "is not one number");
  }
  if (Has("down") && Has("up")) return CheckLowRank();
  if (Has("hada_w1_a")) return CheckLoHa();
  if (Has("lokr_w1") || Has("lokr_w1_a")) return CheckLoKr();
  if (Has("diff")) return CheckShape("diff", With(module_.outputs));
  return NotRead("; it has no pair of it");
}

absl::StatusOr<at::Tensor> LoraModuleFile::Read(const char* part) const {
  return file_.Read(parts_.at(part),
                    {.dtype = at::kFloat, .must_be_finite = true});
}

std::vector<int64_t> LoraModuleFile::With(int64_t first) const {
  std::vector<int64_t> sizes = {first};
  sizes.insert(sizes.end(), module_.inputs.begin(), module_.inputs.end());
  return sizes;
}

absl::Status LoraModuleFile::CheckLowRank() const {
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

absl::Status LoraModuleFile::CheckLoHa() const {
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
        status = CheckShape(b, {rank, c10::multiply_integers(module_.inputs)});
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LoraModuleFile::CheckLoKr() const {
  int64_t outputs = 1;
  int64_t inputs = 1;
  for (const auto& [all, a, b, core] :
       {std::tuple("lokr_w1", "lokr_w1_a", "lokr_w1_b", ""),
        std::tuple("lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")}) {
    if (Has(all)) {
      const auto& shape = ShapeOf(all);
      if (shape.size() < 2) return Wrong(all, "is no matrix");
      outputs *= shape[0];
      inputs *= c10::multiply_integers(shape.begin() + 1, shape.end());
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
    inputs *= c10::multiply_integers(ShapeOf(b)) / rank;
    if (!tucker) continue;
    const auto& kernel = ShapeOf(core);
    if (kernel.size() != 4 || kernel[0] != rank || kernel[1] != rank) {
      return Wrong(core, "is of another rank");
    }
    inputs *= kernel[2] * kernel[3];
  }
  if (outputs == module_.outputs &&
      inputs == c10::multiply_integers(module_.inputs)) {
    return absl::OkStatus();
  }
  return Wrong(Has("lokr_w1") ? "lokr_w1" : "lokr_w1_a",
               absl::StrCat("and the other factor make [", outputs, ", ",
                            inputs, "], not [", module_.outputs, ", ",
                            c10::multiply_integers(module_.inputs),
                            "], as they would for this model"));
}

absl::Status ForLoraModules(
    const TensorSource& file, const AdapterTargets& targets,
    const std::function<absl::Status(const AdapterTargets::Module&,
                                     const LoraModuleFile&)>& visit,
    const std::function<void(const std::vector<std::string>& tensors)>&
        on_unread) {
  const LoraNames names = ReadLoraNames(file.entries());
  if (names.modules.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(),
                     ": is no adapter: no tensor has the name "
                     "of one's"));
  }
  const absl::Status kinds = CheckKinds(names);
  if (!kinds.ok()) {
    return absl::Status(kinds.code(),
                        absl::StrCat(file.path(), ": ", kinds.message()));
  }
  bool any = false;
  std::vector<std::string> unread = names.strangers;
  for (const auto& [name, parts] : names.modules) {
    std::string component;
    const AdapterTargets::Module* module = targets.Find(name, component);
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
        visit(*module, LoraModuleFile(file, name, parts, *module));
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

}  // namespace genzo
