#include "worker/engine/decode_stage.h"

#include <algorithm>
#include <exception>

#include "ATen/ops/cat.h"
#include "ATen/ops/isfinite.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/exception_status.h"
#include "worker/device/free_memory.h"
#include "worker/device/thread_count.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {
namespace {

// Latents of one image that may wait to be shown. More means that decoding
// cannot keep up with the steps; then the oldest go.
constexpr int kMaxPreviewsPerImage = 4;
// More would keep the first one waiting for the last.
constexpr size_t kMaxTogether = 4;

bool IsSameImage(const DecodeTask& a, const DecodeTask& b) {
  return a.job == b.job && a.image_index == b.image_index;
}

// Whether both latents can go through one call of one decoder.
bool CanJoin(const DecodeTask& a, const DecodeTask& b) {
  return !a.reproducible && !b.reproducible &&
         &a.job->model() == &b.job->model() && a.decoder == b.decoder &&
         a.latent.sizes() == b.latent.sizes();
}

bool IsEnlarged(const DecodeTask& task) {
  return !task.job->request().output().upscaler().empty();
}

absl::Status NotFinite(const DecodeTask& task) {
  return ErrorWithReason(
      absl::StatusCode::kInternal, "NOT_FINITE",
      absl::StrCat(
          "image ", task.image_index, " of model ", task.job->request().model(),
          " has values that are not finite numbers after step ", task.step));
}

absl::Status DecodingFailed(const DecodeTask& task) {
  return WithReason(StatusFromException(absl::StrCat(
                        "decoding image ", task.image_index, " failed")),
                    "DECODING_FAILED");
}

PictureFormat FormatOf(const v1::PreviewPlan& plan) {
  return {.format = plan.format(), .quality = static_cast<int>(plan.quality())};
}

PictureFormat FormatOf(const v1::OutputOptions& output) {
  return {.format = output.format(),
          .quality = static_cast<int>(output.quality())};
}

at::Tensor DecodedOnce(const std::vector<DecodeTask>& tasks) {
  std::vector<at::Tensor> latents;
  latents.reserve(tasks.size());
  for (const DecodeTask& task : tasks) latents.push_back(task.latent);
  return tasks[0].job->model().codec().Preview(at::cat(latents),
                                               tasks[0].decoder);
}

at::Tensor Decoded(const std::vector<DecodeTask>& tasks) {
  try {
    return DecodedOnce(tasks);
  } catch (const c10::OutOfMemoryError&) {
    // While steps are recorded, LibTorch does not give unused memory back by
    // itself.
    ReturnFreeMemory(tasks[0].job->model().placement().device);
    return DecodedOnce(tasks);
  }
}

}  // namespace

DecodeStage::DecodeStage(Options options, const DeviceStream& stream,
                         const Clock& clock, Metrics& metrics,
                         const PictureFinisher& finisher)
    : options_(std::move(options)),
      stream_(stream),
      clock_(clock),
      metrics_(metrics),
      finisher_(finisher),
      writer_(/*capacity=*/kMaxTogether) {
  thread_ = std::thread([this] { Loop(); });
}

DecodeStage::~DecodeStage() { Stop(); }

void DecodeStage::Stop() {
  if (!thread_.joinable()) return;
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
      return finals_.size() < options_.max_finals;
    };
    mutex_.Await(absl::Condition(&has_room));
    return finals_.push_back(std::move(task));
  }
  const auto same_image = [&](const DecodeTask& other) {
    return IsSameImage(other, task);
  };
  if (std::count_if(previews_.begin(), previews_.end(), same_image) ==
      kMaxPreviewsPerImage) {
    const auto oldest =
        std::find_if(previews_.begin(), previews_.end(), same_image);
    previews_.erase(oldest);
    metrics_.previews_dropped().Increment();
  }
  previews_.push_back(std::move(task));
}

std::deque<DecodeTask>::iterator DecodeStage::FirstLocked(bool& is_final) {
  for (auto final = finals_.begin(); final != finals_.end(); ++final) {
    const auto earlier = std::find_if(previews_.begin(), previews_.end(),
                                      [&](const DecodeTask& preview) {
                                        return IsSameImage(preview, *final);
                                      });
    is_final = earlier == previews_.end();
    if (is_final) return final;
    if (final + 1 == finals_.end()) return earlier;
  }
  is_final = false;
  return previews_.begin();
}

std::vector<DecodeTask> DecodeStage::NextLocked() {
  bool is_final = false;
  const auto first = FirstLocked(is_final);
  std::deque<DecodeTask>& line = is_final ? finals_ : previews_;
  std::vector<DecodeTask> tasks = {std::move(*first)};
  line.erase(first);
  const size_t most = std::min<size_t>(kMaxTogether, tasks[0].together);
  for (auto it = line.begin(); it != line.end() && tasks.size() < most;) {
    const auto image_is_taken = [&](const DecodeTask& taken) {
      return IsSameImage(taken, *it);
    };
    const bool has_previews =
        is_final && std::any_of(previews_.begin(), previews_.end(),
                                [&](const DecodeTask& preview) {
                                  return IsSameImage(preview, *it);
                                });
    const bool joins = CanJoin(tasks[0], *it) && !has_previews &&
                       std::none_of(tasks.begin(), tasks.end(), image_is_taken);
    if (!joins) {
      ++it;
      continue;
    }
    tasks.push_back(std::move(*it));
    it = line.erase(it);
  }
  return tasks;
}

void DecodeStage::Loop() {
  c10::InferenceMode inference;
  const auto unwanted = [](const DecodeTask& task) {
    return !task.job->Wanted(task.image_index);
  };
  while (true) {
    std::vector<DecodeTask> tasks;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return closed_ || !finals_.empty() || !previews_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (finals_.empty() && previews_.empty()) return;
      tasks = NextLocked();
    }
    tasks.erase(std::remove_if(tasks.begin(), tasks.end(), unwanted),
                tasks.end());
    UseThreads(options_.threads());
    if (!tasks.empty()) Decode(tasks);
  }
}

void DecodeStage::Decode(const std::vector<DecodeTask>& tasks) {
  const DeviceStream::Scope on_stream(stream_);
  const absl::Time begin = clock_.Now();
  at::Tensor decoded;
  try {
    decoded = Decoded(tasks);
  } catch (const std::exception&) {
    if (tasks.size() == 1) return Failed(tasks[0]);
    // One image's fault, or too much memory for all at once.
    for (const DecodeTask& task : tasks) Decode({task});
    return;
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    try {
      Finish(tasks[i], decoded.narrow(0, static_cast<int64_t>(i), 1), begin);
    } catch (const std::exception&) {
      Failed(tasks[i]);
    }
  }
}

void DecodeStage::Failed(const DecodeTask& task) {
  const absl::Status status = DecodingFailed(task);
  // A preview that cannot be shown is no fault of the picture's.
  if (!task.is_final) {
    return spdlog::debug("no preview of job {}: {}", task.job->id(),
                         std::string(status.message()));
  }
  const bool is_the_images = !absl::IsInternal(status) ||
                             !options_.device_works || options_.device_works();
  // The last who drops a job that has not ended gives it back to the queue.
  if (!is_the_images && task.job->MayGoElsewhere()) return;
  task.job->FailImage(task.image_index, status);
}

void DecodeStage::Finish(const DecodeTask& task, const at::Tensor& decoded,
                         absl::Time begin) {
  if (!task.is_final || !IsEnlarged(task) || !options_.enlarge) {
    return Write(task, decoded, begin);
  }
  options_.enlarge(task, decoded,
                   [this, task, begin](const at::Tensor& larger) {
                     Write(task, larger, begin);
                   });
}

void DecodeStage::Write(const DecodeTask& task, const at::Tensor& decoded,
                        absl::Time begin) {
  if (!at::isfinite(decoded).all().item<bool>()) {
    if (task.is_final) task.job->FailImage(task.image_index, NotFinite(task));
    return;
  }
  if (task.is_final) return WriteFinal(task, ToPixels(decoded), begin);
  const v1::PreviewPlan& plan = task.job->request().preview();
  WritePreview(task, ToPixels(ShrinkToSide(decoded, plan.longest_side())));
}

void DecodeStage::WriteFinal(const DecodeTask& task, Pixels pixels,
                             absl::Time begin) {
  const v1::GenerateRequest& request = task.job->request();
  at::Tensor painted;
  if (task.job->canvas() != nullptr) {
    pixels = PastedInto(*task.job->canvas(), pixels);
    painted = task.job->canvas()->alpha.contiguous();
  }
  absl::Span<const uint8_t> shares;
  if (painted.defined()) {
    shares = {painted.const_data_ptr<uint8_t>(),
              static_cast<size_t>(painted.numel())};
  }
  auto finished = finisher_.Finish(request, task.seed, std::move(pixels),
                                   task.image_index, shares);
  if (!finished.ok()) {
    return task.job->FailImage(task.image_index, finished.status());
  }
  if (finished->withheld) {
    v1::ImageWithheld withheld;
    withheld.set_image_index(static_cast<uint32_t>(task.image_index));
    withheld.set_seed(task.seed);
    withheld.set_safety(finished->safety);
    return task.job->WithholdImage(std::move(withheld), clock_.Now() - begin);
  }
  v1::Image image;
  image.set_image_index(static_cast<uint32_t>(task.image_index));
  image.set_seed(task.seed);
  image.set_safety(finished->safety);
  if (finished->score.has_value()) image.set_score(*finished->score);
  writer_.Submit({.pixels = std::move(finished->pixels),
                  .format = FormatOf(request.output()),
                  .text = std::move(finished->text),
                  .done = [this, task, image, begin, written = clock_.Now()](
                              absl::StatusOr<v1::Picture> picture) {
                    const absl::Time now = clock_.Now();
                    PostFinal(task, image, std::move(picture),
                              {.all = now - begin, .writing = now - written});
                  }});
}

void DecodeStage::WritePreview(const DecodeTask& task, Pixels pixels) {
  const v1::GenerateRequest& request = task.job->request();
  auto look = finisher_.Preview(request, std::move(pixels));
  if (!look.has_value()) return;
  writer_.Submit({.pixels = std::move(look->pixels),
                  .format = FormatOf(request.preview()),
                  .text = std::move(look->text),
                  .done = [task](absl::StatusOr<v1::Picture> picture) {
                    if (!picture.ok()) return;
                    task.job->PostPreview(task.image_index, task.step,
                                          *std::move(picture));
                  }});
}

void DecodeStage::PostFinal(const DecodeTask& task, v1::Image image,
                            absl::StatusOr<v1::Picture> picture,
                            const Took& took) {
  if (!picture.ok()) {
    return task.job->FailImage(task.image_index, picture.status());
  }
  if (!IsEnlarged(task)) {  // which would tell nothing of decoding
    options_.on_decoded(task.job->demand(), clock_.Now() - task.submitted);
  }
  *image.mutable_picture() = *std::move(picture);
  task.job->PostImage(std::move(image), took.all, took.writing);
}

}  // namespace genzo
