#include "worker/engine/encode_stage.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/exception_status.h"
#include "worker/device/free_memory.h"
#include "worker/device/thread_count.h"
#include "worker/engine/control_hints.h"
#include "worker/engine/hires.h"
#include "worker/engine/inversion.h"
#include "worker/engine/latent_store.h"
#include "worker/engine/source_picture.h"
#include "worker/text/embedding_folders.h"

namespace genzo {
namespace {

// More would keep the first one waiting for the last.
constexpr size_t kMaxTogether = 16;

bool HasPicture(const JobState& job) {
  return job.request().has_image_to_image() &&
         job.request().start_latents().empty();
}

}  // namespace

EncodeStage::EncodeStage(int64_t text_cache_bytes, const DeviceStream& stream,
                         const EngineDependencies& dependencies,
                         std::function<void()> on_encoded, Where where,
                         SideNetworks* networks)
    : stream_(stream),
      clock_(dependencies.clock),
      metrics_(dependencies.metrics),
      embeddings_(dependencies.embeddings),
      latents_(dependencies.latents),
      on_encoded_(std::move(on_encoded)),
      networks_(networks),
      texts_(text_cache_bytes) {
  if (where == Where::kOwnThread) thread_ = std::thread([this] { Loop(); });
}

EncodeStage::~EncodeStage() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void EncodeStage::Submit(std::shared_ptr<JobState> job, bool together) {
  std::vector<Waiting> next;
  {
    absl::MutexLock lock(&mutex_);
    images_[job->demand().tenant] += job->demand().images;
    waiting_.push_back({std::move(job), together});
    if (thread_.joinable()) return;
    next = NextLocked();
  }
  EncodeAll(next);
}

std::vector<EncodedJob> EncodeStage::TakeEncoded() {
  absl::MutexLock lock(&mutex_);
  for (const EncodedJob& done : encoded_) {
    const JobDemand& demand = done.job->demand();
    const auto images = images_.find(demand.tenant);
    images->second -= demand.images;
    if (images->second == 0) images_.erase(images);
  }
  return std::exchange(encoded_, {});
}

void EncodeStage::AwaitEncoded() {
  const auto is_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !encoded_.empty() || (waiting_.empty() && encoding_ == 0);
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&is_news));
}

TenantCounts EncodeStage::Images() const {
  absl::MutexLock lock(&mutex_);
  return images_;
}

std::vector<EncodeStage::Waiting> EncodeStage::NextLocked() {
  std::vector<Waiting> next = {std::move(waiting_.front())};
  waiting_.pop_front();
  for (auto it = waiting_.begin();
       it != waiting_.end() && next.size() < kMaxTogether;) {
    if (&it->job->model() != &next[0].job->model()) {
      ++it;
      continue;
    }
    next.push_back(std::move(*it));
    it = waiting_.erase(it);
  }
  encoding_ = static_cast<int>(next.size());
  return next;
}

void EncodeStage::Loop() {
  c10::InferenceMode inference;
  const DeviceStream::Scope on_stream(stream_);
  UseThreads(1);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !waiting_.empty();
  };
  while (true) {
    std::vector<Waiting> next;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (closed_) return;
      next = NextLocked();
    }
    EncodeAll(next);
  }
}

void EncodeStage::EncodeAll(const std::vector<Waiting>& waiting) {
  if (forget_texts_.exchange(false)) texts_.Clear();
  TakeLibrary();
  const absl::Time begin = clock_.Now();
  std::vector<absl::StatusOr<Encoded>> encoded;
  try {
    encoded = Encode(waiting);
    // The step loop uses it on a stream of its own.
    DeviceStream::WaitForThisThread(waiting[0].job->model().placement().device);
  } catch (const std::exception&) {
    const absl::Status status = StatusFromException("encoding failed");
    if (absl::IsResourceExhausted(status)) {
      texts_.Clear();
      ReturnFreeMemory(waiting[0].job->model().placement().device);
    }
    if (waiting.size() == 1) return Deliver(waiting[0], status, begin);
    // One job's fault, or too much memory for all at once.
    for (const Waiting& one : waiting) EncodeAll({one});
    return;
  }
  CountTexts(waiting[0].job->demand().model);
  for (size_t i = 0; i < waiting.size(); ++i) {
    Deliver(waiting[i], std::move(encoded[i]), begin);
  }
}

void EncodeStage::TakeLibrary() {
  if (embeddings_ == nullptr) return;
  auto library = embeddings_->library();
  if (library == library_) return;
  library_ = std::move(library);
  texts_.Clear();
}

absl::StatusOr<EncodeTask> EncodeStage::TaskOf(JobState& job) {
  if (!job.Wanted()) return JobCancelledError();  // nobody hears it any more
  EncodeTask task = {.request = job.request(),
                     .embeddings = library_.get(),
                     .adapters = job.adapters()};
  const PipelineTraits& traits = job.model().traits();
  if (HasPicture(job)) {
    auto source = ReadSourcePicture(task.request, traits.picture_divisor);
    if (!source.ok()) return source.status();
    task.picture = std::move(source->picture);
    task.mask = std::move(source->mask);
    if (traits.sees_whole_picture) {
      task.whole_picture = std::move(source->whole);
    }
    job.SetCanvas(std::move(source->canvas));
  }
  const absl::Status steered = Steer(traits, job.canvas(), task);
  if (!steered.ok()) return steered;
  return task;
}

absl::Status EncodeStage::Steer(const PipelineTraits& traits,
                                const MaskedCanvas* canvas,
                                EncodeTask& task) const {
  auto controls = ReadControlHints(task, traits, canvas, networks_);
  if (!controls.ok()) return controls.status();
  task.controls = *std::move(controls);
  auto prompts = ReadImagePrompts(task.request, traits, networks_);
  if (!prompts.ok()) return prompts.status();
  task.image_prompts = *std::move(prompts);
  return absl::OkStatus();
}

std::vector<absl::StatusOr<Encoded>> EncodeStage::Encode(
    const std::vector<Waiting>& waiting) {
  std::vector<absl::StatusOr<Encoded>> results(
      waiting.size(), absl::StatusOr<Encoded>(absl::UnknownError("")));
  std::vector<EncodeTask> tasks;
  std::vector<size_t> places;  // of the tasks among the results
  for (size_t i = 0; i < waiting.size(); ++i) {
    auto task = TaskOf(*waiting[i].job);
    if (!task.ok()) {
      results[i] = task.status();
      continue;
    }
    tasks.push_back(*std::move(task));
    places.push_back(i);
  }
  if (tasks.empty()) return results;
  auto encoded =
      waiting[0].job->model().Encode(tasks, waiting[0].together, texts_);
  const Pipeline& model = waiting[0].job->model();
  EncodeSecondPasses(
      model, tasks, waiting[0].together, texts_,
      [&](EncodeTask& task) {
        return Steer(model.traits(), /*canvas=*/nullptr, task);
      },
      encoded);
  EncodeInversions(model, tasks, waiting[0].together, texts_, encoded);
  for (size_t i = 0; i < tasks.size(); ++i) {
    absl::StatusOr<Encoded>& result = results[places[i]];
    result = std::move(encoded[i]);
    if (!result.ok()) continue;
    const absl::Status added = AddLatent(*waiting[places[i]].job, *result);
    if (!added.ok()) result = added;
  }
  return results;
}

absl::Status EncodeStage::AddLatent(const JobState& job,
                                    Encoded& encoded) const {
  const v1::GenerateRequest& request = job.request();
  if (request.start_latents().empty() || latents_ == nullptr) {
    return absl::OkStatus();
  }
  auto kept = latents_->Find(job.demand().tenant, request.start_latents());
  if (!kept.ok()) return kept.status();
  const absl::Status fits = CheckStartLatents(
      kept->facts(), job.demand().model, request.width(), request.height());
  if (!fits.ok()) return fits;
  encoded.latent = kept->latent;
  return absl::OkStatus();
}

void EncodeStage::Deliver(const Waiting& waiting,
                          absl::StatusOr<Encoded> encoded, absl::Time begin) {
  if (!encoded.ok()) encoded = WithReason(encoded.status(), "ENCODING_FAILED");
  waiting.job->EncodingDone(clock_.Now() - begin);
  {
    absl::MutexLock lock(&mutex_);
    --encoding_;
    encoded_.push_back({waiting.job, std::move(encoded)});
  }
  on_encoded_();
}

void EncodeStage::CountTexts(const std::string& model) {
  ModelMetrics& metrics = metrics_.ForModel(model);
  const auto [hits, misses] = texts_.TakeHitsAndMisses();
  metrics.text_hits.Increment(static_cast<double>(hits));
  metrics.text_misses.Increment(static_cast<double>(misses));
}

}  // namespace genzo
