#include "worker/engine/decode_stage.h"

#include <algorithm>
#include <exception>

#include "ATen/ops/isfinite.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/engine/exception_status.h"
#include "worker/engine/image_parameters.h"
#include "worker/engine/preview_plan.h"
#include "worker/engine/thread_count.h"
#include "worker/image/pixels.h"
#include "worker/image/png.h"

namespace genzo {
namespace {

// Latents of one image that may wait to be shown. More means that decoding
// cannot keep up with the steps; then the oldest go.
constexpr int kMaxPreviewsPerImage = 4;

bool IsSameImage(const DecodeTask& a, const DecodeTask& b) {
  return a.job == b.job && a.image_index == b.image_index;
}

absl::StatusOr<v1::Picture> ToPicture(const at::Tensor& decoded,
                                      const PngText& text) {
  const Pixels pixels = ToPixels(decoded);
  auto file = EncodePng(pixels, text);
  if (!file.ok()) return file.status();
  v1::Picture picture;
  picture.set_data(*std::move(file));
  picture.set_media_type("image/png");
  picture.set_width(pixels.width);
  picture.set_height(pixels.height);
  return picture;
}

absl::StatusOr<v1::Picture> PreviewPicture(const DecodeTask& task) {
  const v1::PreviewPlan& plan = task.job->request().preview();
  const DiffusionModel& model = task.job->model();
  const bool full = PreviewDecoder(plan, task.step, task.steps) ==
                    v1::PreviewPlan::DECODER_FULL;
  const at::Tensor decoded =
      full ? model.DecodeFull(task.latent) : model.DecodeLinear(task.latent);
  return ToPicture(ShrinkToSide(decoded, plan.longest_side()), /*text=*/{});
}

absl::StatusOr<v1::Picture> FinalPicture(const DecodeTask& task) {
  const v1::GenerateRequest& request = task.job->request();
  const at::Tensor decoded = task.job->model().DecodeFull(task.latent);
  if (!at::isfinite(decoded).all().item<bool>()) {
    return ErrorWithReason(
        absl::StatusCode::kInternal, "NOT_FINITE",
        absl::StrCat("image ", task.image_index, " of model ", request.model(),
                     " has values that are not finite numbers"));
  }
  return ToPicture(decoded, request.output().embed_parameters()
                                ? ImageParameters(request, task.seed)
                                : PngText());
}

}  // namespace

DecodeStage::DecodeStage(int max_finals, const Clock& clock, Metrics& metrics)
    : max_finals_(max_finals), clock_(clock), metrics_(metrics) {
  thread_ = std::thread([this] { Loop(); });
}

DecodeStage::~DecodeStage() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  thread_.join();
}

void DecodeStage::Submit(DecodeTask task) {
  absl::MutexLock lock(&mutex_);
  if (task.is_final) {
    const auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return finals_.size() < max_finals_;
    };
    mutex_.Await(absl::Condition(&has_room));
    return finals_.push_back(std::move(task));
  }
  const auto same_image = [&](const DecodeTask& other) {
    return IsSameImage(other, task);
  };
  if (std::count_if(previews_.begin(), previews_.end(), same_image) ==
      kMaxPreviewsPerImage) {
    previews_.erase(
        std::find_if(previews_.begin(), previews_.end(), same_image));
    metrics_.previews_dropped().Increment();
  }
  previews_.push_back(std::move(task));
}

DecodeTask DecodeStage::NextLocked() {
  const auto take = [](std::deque<DecodeTask>& tasks,
                       const std::deque<DecodeTask>::iterator& place) {
    DecodeTask task = std::move(*place);
    tasks.erase(place);
    return task;
  };
  for (auto final = finals_.begin(); final != finals_.end(); ++final) {
    const auto earlier = std::find_if(previews_.begin(), previews_.end(),
                                      [&](const DecodeTask& preview) {
                                        return IsSameImage(preview, *final);
                                      });
    if (earlier == previews_.end()) return take(finals_, final);
    if (final + 1 == finals_.end()) return take(previews_, earlier);
  }
  return take(previews_, previews_.begin());
}

void DecodeStage::Loop() {
  c10::InferenceMode inference;
  UseOneThread();
  while (true) {
    DecodeTask task;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return closed_ || !finals_.empty() || !previews_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (finals_.empty() && previews_.empty()) return;
      task = NextLocked();
    }
    Decode(task);
  }
}

void DecodeStage::Decode(const DecodeTask& task) {
  if (!task.job->Wanted()) return;
  const absl::Time begin = clock_.Now();
  absl::StatusOr<v1::Picture> picture;
  try {
    picture = task.is_final ? FinalPicture(task) : PreviewPicture(task);
  } catch (const std::exception&) {
    const absl::Status caught = StatusFromException(
        absl::StrCat("decoding image ", task.image_index, " failed"));
    picture = ErrorWithReason(caught.code(), "DECODING_FAILED",
                              std::string(caught.message()));
  }
  if (!picture.ok()) return task.job->Fail(picture.status());
  if (task.is_final) {
    task.job->PostImage(task.image_index, task.seed, *std::move(picture),
                        clock_.Now() - begin);
  } else {
    task.job->PostPreview(task.image_index, task.step, *std::move(picture));
  }
}

}  // namespace genzo
