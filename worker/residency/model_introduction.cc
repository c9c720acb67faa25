#include "worker/residency/model_introduction.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/logging.h"
#include "worker/device/exception_status.h"
#include "worker/kernels/row_bits.h"
#include "worker/text/embedding_folders.h"

namespace genzo {
namespace {

// How long a model may be measured, all in all.
constexpr absl::Duration kProfileBudget = absl::Seconds(3);
// Before a profile that other programs disturbed is measured once more.
constexpr absl::Duration kLeastPause = absl::Seconds(30);
constexpr absl::Duration kMostPause = absl::Hours(1);
// Nobody notices a pause of this length between two steps.
constexpr absl::Duration kUnnoticed = absl::Milliseconds(30);

void LogProfile(const std::string& id, const StepProfile& profile, bool sound) {
  const auto ms = [](absl::Duration duration) {
    return absl::StrCat(absl::SixDigits(absl::ToDoubleMilliseconds(duration)));
  };
  std::vector<std::string> points;
  for (const auto& [rows, duration] : profile.costs.measured()) {
    points.push_back(absl::StrCat(rows, ": ", ms(duration)));
  }
  spdlog::info("model {} measured: {} ms by rows, {} ms a picture{}", id,
               absl::StrJoin(points, ", "), ms(profile.decode),
               sound ? "" : "; disturbed, to be made again");
}

}  // namespace

ModelIntroduction::ModelIntroduction(const Config& config,
                                     const EngineDevice& device,
                                     const EngineDependencies& dependencies,
                                     std::function<void()> on_unloaded,
                                     OnOtherFiles on_other_files)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      on_other_files_(std::move(on_other_files)),
      profiles_(config.profile_folder),
      side_networks_({config.controlnets, config.ip_adapters}, device.placement,
                     spare_memory()),
      loader_(config, device.placement, device.memory_bytes,
              dependencies.models(device.placement), dependencies.clock,
              dependencies.metrics,
              ModelLoaderListener{.unloaded = std::move(on_unloaded),
                                  .changed =
                                      [this] {
                                        changed_ = true;
                                        dependencies_.queue.Nudge();
                                      },
                                  .idle_beside = [this] { return IdleOfAll(); },
                                  .drop_beside =
                                      [this](const std::vector<int64_t>& uses) {
                                        DropOfAll(uses);
                                      }}) {
  for (const ModelConfig& model : config_.models) {
    files_[model.id] = model.files();
    descriptions_[model.id].set_id(model.id);
    Describe(model.id, v1::Model::STATE_LOADING);
  }
}

SpareMemory ModelIntroduction::spare_memory() {
  return {
      .reserve = [this](int64_t bytes) { return loader_.ReserveBeside(bytes); },
      .try_reserve =
          [this](int64_t bytes, const std::string& user) {
            return loader_.TryReserveBeside(bytes, user);
          },
      .release = [this](int64_t bytes) { loader_.ReleaseBeside(bytes); },
      .most =
          [this](const std::string& user) { return loader_.MostBeside(user); },
      .next_use = [this] { return loader_.NextUse(); }};
}

void ModelIntroduction::SetAdapters(BesideModels* adapters) {
  absl::MutexLock lock(&beside_mutex_);
  adapters_ = adapters;
}

std::vector<IdleBeside> ModelIntroduction::IdleOfAll() {
  std::vector<IdleBeside> idle = side_networks_.Idle();
  absl::MutexLock lock(&beside_mutex_);
  if (adapters_ == nullptr) return idle;
  const std::vector<IdleBeside> more = adapters_->Idle();
  idle.insert(idle.end(), more.begin(), more.end());
  return idle;
}

void ModelIntroduction::DropOfAll(const std::vector<int64_t>& uses) {
  side_networks_.Drop(uses);
  absl::MutexLock lock(&beside_mutex_);
  if (adapters_ != nullptr) adapters_->Drop(uses);
}

void ModelIntroduction::LookBeside() {
  bool is_other = side_networks_.Look();
  if (dependencies_.embeddings != nullptr) {
    auto library = dependencies_.embeddings->library();
    is_other = std::exchange(seen_library_, library) != library || is_other;
  }
  if (!is_other) return;
  changed_ = true;
  dependencies_.queue.Nudge();
}

void ModelIntroduction::LoadConfigured(const std::atomic<bool>& stopping) {
  for (const ModelConfig& model : config_.models) {
    loader_.Request(model.id);
    do {
      if (stopping) return;
      changed_ = true;  // the loader may not have said so yet
      Adopt(/*busy=*/false);
    } while (measuring() || loader_.AwaitChange());
  }
  changed_ = true;
  Adopt(/*busy=*/false);
}

absl::Duration ModelIntroduction::Patience(bool busy, absl::Time now) const {
  if (!busy) return absl::InfiniteDuration();
  // The time since is that of a step. Before the first there is none to go by.
  return std::max(kUnnoticed, left_ == absl::InfinitePast()
                                  ? absl::ZeroDuration()
                                  : now - left_);
}

void ModelIntroduction::Adopt(bool busy) {
  const absl::Time now = dependencies_.clock.Now();
  bool changed = changed_.exchange(false);
  if (changed) {
    for (auto& loaded : loader_.TakeLoaded()) {
      if (std::exchange(files_[loaded.id], loaded.files) != loaded.files) {
        on_other_files_(loaded.id, loaded.files);
      }
      news_.push_back(std::move(loaded));
    }
    const auto described = loader_.TakeDescribed();
    TakeNewsOfFiles();  // whatever was loaded or described was added before
    for (const auto& known : described) Know(known);
  }
  if (measuring()) changed = Measure(busy, now) || changed;
  if (changed) Tell();
  if (!busy) KeepRowBits();
  left_ = busy ? dependencies_.clock.Now() : absl::InfinitePast();
}

void ModelIntroduction::Add(const ModelConfig& model) {
  {
    absl::MutexLock lock(&mutex_);
    news_of_files_.emplace_back(model);
  }
  loader_.Add(model);
  changed_ = true;
  dependencies_.queue.Nudge();
}

void ModelIntroduction::Remove(const std::string& id) {
  {
    absl::MutexLock lock(&mutex_);
    news_of_files_.emplace_back(id);
  }
  loader_.Remove(id);
  changed_ = true;
  dependencies_.queue.Nudge();
}

void ModelIntroduction::TakeNewsOfFiles() {
  std::vector<std::variant<ModelConfig, std::string>> news;
  {
    absl::MutexLock lock(&mutex_);
    news.swap(news_of_files_);
  }
  for (const auto& one : news) {
    if (const auto* id = std::get_if<std::string>(&one)) {
      // What is known of it stays, for those who still paint with it.
      gone_.insert(*id);
      dependencies_.catalog.Remove(*id, device_.index);
      Count(*id, v1::Model::STATE_UNLOADED);
      if (dependencies_.loras != nullptr) dependencies_.loras->RemoveModel(*id);
      continue;
    }
    const ModelConfig& model = std::get<ModelConfig>(one);
    const bool is_new =
        gone_.erase(model.id) > 0 || descriptions_.count(model.id) == 0;
    descriptions_[model.id].set_id(model.id);
    if (is_new) Describe(model.id, v1::Model::STATE_LOADING);
  }
}

bool ModelIntroduction::measuring() const {
  return current_.has_value() || !news_.empty() ||
         Due(dependencies_.clock.Now()) != provisional_.end();
}

bool ModelIntroduction::Measure(bool busy, absl::Time now) {
  if (busy && current_.has_value() && current_->again) {
    // At leisure only, and from the start.
    provisional_[current_->loaded.id] = {now, current_->pause};
    current_.reset();
  }
  const bool had_news = !news_.empty();
  if (!current_.has_value() && !BeginNext(busy, now)) return had_news;
  if (loader_.Leaving(current_->loaded.id)) {
    current_.reset();  // and with it the hold on the model
    return true;
  }
  bool ended = true;
  OrReject(current_->loaded.id, current_->again, [&] {
    ended = current_->measurement->Step(Patience(busy, now));
    if (ended) Finish();
  });
  return ended;
}

void ModelIntroduction::OrReject(std::string id, bool again,
                                 const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception&) {
    const absl::Status status =
        StatusFromException("measuring the model failed");
    if (!again) loader_.Reject(id, status);
    current_.reset();
  }
}

// False if there is nothing to measure now.
bool ModelIntroduction::BeginNext(bool busy, absl::Time now) {
  while (!news_.empty()) {
    ModelLoader::Loaded loaded = std::move(news_.front());
    news_.pop_front();
    OrReject(loaded.id, /*again=*/false, [&] {
      StepProfile kept;
      if (profiles_.Read(loaded.id, KeyOf(loaded.id), kept)) {
        Introduce(loaded, kept);
      } else {
        Begin(std::move(loaded), /*again=*/false, absl::ZeroDuration());
      }
    });
    if (current_.has_value()) return true;
  }
  for (auto due = Due(now); !busy && due != provisional_.end();
       due = Due(now)) {
    const auto [id, again] = *due;
    provisional_.erase(due);
    ModelRef model = loader_.Hold(id);
    if (model == nullptr) continue;
    OrReject(id, /*again=*/true, [&, id = id, pause = again.pause] {
      Begin({id, std::move(model), files_.at(id)}, /*again=*/true, pause);
    });
    if (current_.has_value()) return true;
  }
  return false;
}

std::map<std::string, ModelIntroduction::Again>::const_iterator
ModelIntroduction::Due(absl::Time now) const {
  return std::find_if(
      provisional_.begin(), provisional_.end(),
      [now](const auto& model) { return model.second.due <= now; });
}

void ModelIntroduction::Begin(ModelLoader::Loaded loaded, bool again,
                              absl::Duration pause) {
  const std::string key = KeyOf(loaded.id);
  const ProfileOptions options = {.largest_rows = config_.max_batch_rows,
                                  .budget = kProfileBudget,
                                  .memory_bytes = device_.memory_bytes,
                                  .core_wait = dependencies_.core_wait};
  auto measurement = std::make_unique<ProfileMeasurement>(
      SubjectOf(*loaded.model, config_.limits.max_side_pixels), options,
      dependencies_.clock);
  current_.emplace(Measurement{.loaded = std::move(loaded),
                               .key = key,
                               .again = again,
                               .pause = pause,
                               .measurement = std::move(measurement)});
}

void ModelIntroduction::Finish() {
  const std::string& id = current_->loaded.id;
  const StepProfile& profile = current_->measurement->profile();
  LogProfile(id, profile, current_->measurement->sound());
  if (current_->measurement->sound()) {
    profiles_.Write(id, current_->key, profile);
  } else {
    const absl::Duration pause =
        current_->measurement->at_leisure()
            ? std::clamp(2 * current_->pause, kLeastPause, kMostPause)
            : absl::ZeroDuration();
    provisional_[id] = {dependencies_.clock.Now() + pause, pause};
  }
  Introduce(current_->loaded, profile);
  current_.reset();
}

// What jobs found out about layers that measuring did not meet.
void ModelIntroduction::KeepRowBits() {
  if (RowBitsCount() == kept_row_bits_) return;
  kept_row_bits_ = RowBitsCount();
  for (const std::string& id : ready_) {
    if (provisional_.count(id) > 0) continue;
    profiles_.Write(id, KeyOf(id), profile_of_.at(id));
  }
}

std::string ModelIntroduction::KeyOf(const std::string& id) const {
  return ProfileKey(files_.at(id).path, device_.placement, device_.threads);
}

double ModelIntroduction::AreaOf(const std::string& id, int64_t pixels) const {
  const v1::Model& own = descriptions_.at(id);
  return static_cast<double>(pixels) /
         (static_cast<double>(own.default_width()) * own.default_height());
}

int ModelIntroduction::RowsThatFit(const std::string& id,
                                   int64_t pixels) const {
  return genzo::RowsThatFit(profile(id), AreaOf(id, pixels),
                            loader_.BytesLeft(id));
}

int ModelIntroduction::PicturesThatFit(const std::string& id,
                                       int64_t pixels) const {
  return genzo::PicturesThatFit(profile(id), AreaOf(id, pixels),
                                loader_.BytesLeft(id));
}

absl::Status ModelIntroduction::Fits(const std::string& id, int64_t pixels,
                                     int rows) const {
  if (!device_.placement.device.is_cpu()) return absl::OkStatus();
  const int64_t bytes = BytesOf(profile(id), AreaOf(id, pixels), rows);
  const auto weights =
      static_cast<int64_t>(descriptions_.at(id).weight_bytes());
  if (bytes <= device_.memory_bytes - weights) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, kDoesNotFit,
      absl::StrCat("a picture of ", pixels, " pixels takes about ",
                   bytes / 1'000'000, " MB beside the ", weights / 1'000'000,
                   " MB of model ", id, "; the device has ",
                   device_.memory_bytes / 1'000'000,
                   " MB for both (memory_budget_mb)"));
}

int ModelIntroduction::ReproducibleRows(const std::string& id,
                                        int64_t pixels) const {
  const auto weights =
      static_cast<int64_t>(descriptions_.at(id).weight_bytes());
  return genzo::ReproducibleRows(
      profile(id), AreaOf(id, pixels),
      device_.memory_bytes - device_.adapter_bytes - weights,
      config_.max_batch_rows);
}

}  // namespace genzo
