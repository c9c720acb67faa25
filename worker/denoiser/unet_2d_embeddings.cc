#include "worker/denoiser/unet_2d_embeddings.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/embedding.h"
#include "absl/strings/str_cat.h"
#include "worker/kernels/row_bits.h"

namespace genzo {
namespace {

// As the reference scales w before its sines (get_guidance_scale_embedding).
constexpr double kGuidanceScaling = 1000;

absl::Status Invalid(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("conditioning ", what));
}

// -1 where there are no columns to speak of.
int64_t Columns(const at::Tensor& tensor) {
  if (!tensor.defined()) return 0;
  return tensor.dim() == 2 ? tensor.size(1) : -1;
}

}  // namespace

UNetEmbeddings::UNetEmbeddings(const UNetEmbeddingsConfig& config,
                               const Weights& weights)
    : config_(config),
      time_(weights["time_embedding"], config.time_proj.dim, config.width,
            config.activation) {
  if (has_guidance()) {
    guidance_.emplace(weights["time_embedding"]["cond_proj"],
                      config.guidance_width, config.time_proj.dim,
                      /*has_bias=*/false);
  }
  if (config.added_time_width > 0) {
    added_.emplace(weights["add_embedding"], config.projection_width,
                   config.width);
  }
  const Weights classes = weights["class_embedding"];
  switch (config.classes) {
    case ClassEmbedding::kNone:
      break;
    case ClassEmbedding::kTable:
      class_table_ = classes.Get("weight", {config.class_count, config.width});
      break;
    case ClassEmbedding::kTimestep:
      class_.emplace(classes, config.time_proj.dim, config.width,
                     config.activation);
      break;
    case ClassEmbedding::kProjection:
      class_.emplace(classes, config.projection_width, config.width);
      break;
  }
}

int64_t UNetEmbeddings::NumbersOfText(const Conditioning& conditioning) const {
  const int64_t pooled = Columns(conditioning.pooled);
  if (config_.classes == ClassEmbedding::kProjection) {
    return pooled == config_.projection_width ? 0 : -1;
  }
  if (config_.added_time_width == 0) return pooled == 0 ? 0 : -1;
  const int64_t left = config_.projection_width - pooled;
  return left % config_.added_time_width == 0 && pooled > 0
             ? left / config_.added_time_width
             : -1;
}

absl::Status UNetEmbeddings::Prepare(const Conditioning& conditioning,
                                     const EvalContext& adapters,
                                     std::vector<at::Tensor>& prepared) const {
  const int64_t of_text = NumbersOfText(conditioning);
  if (of_text < 0) {
    return Invalid(
        absl::StrCat("pooled has ", Columns(conditioning.pooled),
                     " columns, which is not what this U-Net takes"));
  }
  const bool numbered = config_.classes == ClassEmbedding::kTable ||
                        config_.classes == ClassEmbedding::kTimestep;
  const int64_t need = of_text + (numbered ? 1 : 0) + (has_guidance() ? 1 : 0);
  if (Columns(conditioning.numbers) != need) {
    return Invalid(absl::StrCat("numbers has ", Columns(conditioning.numbers),
                                " columns, this U-Net takes ", need));
  }
  const at::Tensor numbers =
      need == 0
          ? at::Tensor()
          : conditioning.numbers.to(time_.linear_1.bias.device(), at::kFloat);
  at::Tensor added;
  if (config_.classes != ClassEmbedding::kNone) {
    added =
        OfClass(conditioning,
                numbered ? numbers.select(1, of_text) : at::Tensor(), adapters);
  }
  if (config_.added_time_width > 0) {
    const at::Tensor text =
        OfText(conditioning.pooled, numbers.narrow(1, 0, of_text), adapters);
    added = added.defined() ? added + text : text;
  }
  if (added.defined()) prepared.push_back(added);
  if (has_guidance()) {
    const at::Tensor scales = numbers.select(1, need - 1) * kGuidanceScaling;
    prepared.push_back(guidance_->forward(
        ProjectTimesteps(scales, {.dim = config_.guidance_width,
                                  .flip_sin_to_cos = false,
                                  .freq_shift = 1})
            .to(dtype()),
        adapters));
  }
  return absl::OkStatus();
}

at::Tensor UNetEmbeddings::OfClass(const Conditioning& conditioning,
                                   const at::Tensor& number,
                                   const EvalContext& adapters) const {
  if (class_table_.defined()) {
    return at::embedding(class_table_, number.to(at::kLong));
  }
  return class_->forward(
      (number.defined() ? ProjectTimesteps(number, config_.time_proj)
                        : conditioning.pooled)
          .to(dtype()),
      adapters);
}

at::Tensor UNetEmbeddings::OfText(const at::Tensor& pooled,
                                  const at::Tensor& numbers,
                                  const EvalContext& adapters) const {
  TimestepProjection projection = config_.time_proj;
  projection.dim = config_.added_time_width;
  const at::Tensor sines =
      ProjectTimesteps(numbers.flatten(), projection)
          .view({numbers.size(0), -1});  // [R, N * added_time_width]
  return added_->forward(at::cat({pooled.to(at::kFloat), sines}, 1).to(dtype()),
                         adapters);
}

at::Tensor UNetEmbeddings::OfTimes(const at::Tensor& timesteps) const {
  const at::Tensor projected =
      ProjectTimesteps(timesteps, config_.time_proj).to(dtype());
  return has_guidance() ? projected
                        : at::cat({time_.forward(projected), projected}, 1);
}

at::Tensor UNetEmbeddings::Embedded(const at::Tensor& times,
                                    const at::Tensor& guidance,
                                    const EvalContext& adapters) const {
  if (has_guidance()) return time_.forward(times + guidance, adapters);
  return time_.AdaptedBy(adapters)
             ? time_.forward(
                   times.narrow(1, config_.width, config_.time_proj.dim),
                   adapters)
             : times.narrow(1, 0, config_.width);
}

at::Tensor UNetEmbeddings::FromTimes(const at::Tensor& times,
                                     const EvalContext& adapters) const {
  return Activate(Embedded(times, /*guidance=*/{}, adapters),
                  config_.activation);
}

at::Tensor UNetEmbeddings::JoinRows(const at::Tensor& times,
                                    const at::Tensor& added,
                                    const at::Tensor& guidance,
                                    const EvalContext& adapters) const {
  at::Tensor embedded = Embedded(times, guidance, adapters);
  if (added.defined()) embedded = embedded + added;
  return Activate(embedded, config_.activation);
}

at::Tensor UNetEmbeddings::Join(const at::Tensor& times,
                                const std::vector<at::Tensor>& prepared,
                                size_t& count,
                                const EvalContext& adapters) const {
  const at::Tensor guidance = has_guidance() ? prepared[--count] : at::Tensor();
  const at::Tensor added = has_added() ? prepared[--count] : at::Tensor();
  if (!times.is_cpu()) return JoinRows(times, added, guidance, adapters);
  return RowByRow(times.size(0), [&](int64_t row) {
    const auto own = [&](const at::Tensor& t) {
      return t.defined() ? t.narrow(0, row, 1) : t;
    };
    return JoinRows(own(times), own(added), own(guidance), adapters.OfRow(row));
  });
}

}  // namespace genzo
