#include "worker/residency/profile_measurement.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "ATen/ops/cat.h"
#include "ATen/ops/equal.h"
#include "absl/status/status.h"
#include "worker/device/exception_status.h"
#include "worker/device/memory_meter.h"
#include "worker/device/thread_count.h"
#include "worker/kernels/row_bits.h"
#include "worker/sampler/sampler_table.h"

namespace genzo {
namespace {

// The best of so many counts. One that shared the processor with others once
// would end the search and keep batches small for as long as the profile lives.
constexpr int kLeastRepeats = 2;
constexpr int kMostRepeats = 12;
constexpr absl::Duration kEnoughTime = absl::Milliseconds(120);
// Times the budget, with all preparations, which a GPU has more of.
constexpr int kMostPreparation = 4;
// On the CPU, also when nobody waits: a job may come.
constexpr absl::Duration kLongestSlice = absl::Milliseconds(20);
// Two times of one row count, when nobody disturbed them.
constexpr double kAgreement = 1.2;
// Of the time that counts, all threads together: beside a busy neighbour they
// wait as long as they run.
constexpr double kMostWaiting = 0.1;
// Of a picture to an evaluation of one row, until it is measured: about what
// the models at hand have.
constexpr int kDecodeGuess = 3;

class ModelSubject : public ProfileSubject {
 public:
  ModelSubject(const LoadedModel& model, int longest_side)
      : model_(model), denoiser_(model.denoiser()) {
    const PipelineTraits& traits = model.traits();
    const LatentCodec& codec = model.codec();
    SeededNoise noise(/*seed=*/1);
    const auto latents = [&](int pixels) {
      return std::min(pixels, longest_side) / codec.pixels_per_latent();
    };
    row_ =
        noise.Draw({1, codec.latent_channels(), latents(traits.default_height),
                    latents(traits.default_width)});
  }

  void Prepare(int rows, bool at_leisure) override {
    if (text_ == nullptr) text_ = model_.PrepareEmpty();
    sample_ = at::cat(std::vector<at::Tensor>(rows, row_));
    times_.assign(rows, 500.0f);
    prepared_ = RepeatFirstRow(*text_, rows);
    if (!at_leisure || rows < 2 || !on_cpu()) return;
    const TryingRowBits trying;
    Evaluate();
  }
  at::Tensor Evaluate() override {
    return Predict(denoiser_, sample_, times_, prepared_);
  }
  void Decode() override { model_.codec().Decode(row_); }
  // Made from few rows to many, they fit badly into each other's memory.
  void Forget() override { denoiser_.ForgetRecordings(); }
  bool on_cpu() const override { return model_.placement().device.is_cpu(); }

 private:
  const LoadedModel& model_;
  const Denoiser& denoiser_;
  at::Tensor row_;
  PreparedRef text_;  // of one row
  at::Tensor sample_;
  std::vector<float> times_;
  Prepared prepared_;
};

// Of the exception that is being handled.
bool IsOutOfMemory() {
  return absl::IsResourceExhausted(StatusFromException("measuring"));
}

}  // namespace

std::unique_ptr<ProfileSubject> SubjectOf(const LoadedModel& model,
                                          int longest_side) {
  return std::make_unique<ModelSubject>(model, longest_side);
}

ProfileMeasurement::ProfileMeasurement(std::unique_ptr<ProfileSubject> subject,
                                       const ProfileOptions& options,
                                       const Clock& clock)
    : subject_(std::move(subject)), options_(options), clock_(clock) {
  // A GPU's libraries choose kernels by the number of rows, and not every
  // number is tried here.
  profile_.rows_independent = subject_->on_cpu();
}

bool ProfileMeasurement::Step(absl::Duration patience) {
  interleaved_ = interleaved_ || patience < absl::InfiniteDuration();
  while (!done_ && Expected() > patience) {
    work_.reset();
    LeaveOut();
  }
  if (!done_) {
    try {
      DoNext(patience);
    } catch (const std::exception&) {
      const bool of_rows =
          rows_ > 1 && (phase_ == Phase::kWarmUp || phase_ == Phase::kTime);
      if (!of_rows || !IsOutOfMemory()) throw;
      work_.reset();
      EndOfEvaluations();
    }
  }
  return done_;
}

absl::Duration ProfileMeasurement::Expected() const {
  switch (phase_) {
    case Phase::kWarmUp:
      return rows_ == 1 ? absl::ZeroDuration() : 2 * measured_.at(rows_ / 2);
    case Phase::kWarmUpDecode:
      return kDecodeGuess * measured_.at(1);
    default:
      return std::min(last_, best_);
  }
}

void ProfileMeasurement::LeaveOut() {
  sound_ = false;
  switch (phase_) {
    case Phase::kWarmUp:
      return EndOfEvaluations();
    case Phase::kTime:
    case Phase::kDecode:
      best_ = std::min(best_, last_);
      return EndOfRepeats();
    case Phase::kWarmUpDecode:
      profile_.decode = kDecodeGuess * measured_.at(1);
      done_ = true;
      return;
  }
}

void ProfileMeasurement::DoNext(absl::Duration patience) {
  if (!subject_->on_cpu()) {
    return Note(Do([this] { return clock_.Now() - absl::UnixEpoch(); }));
  }
  if (work_ == nullptr) work_ = std::make_unique<SlicedWork>(clock_);
  if (work_->ended()) {
    work_->Begin([this, work = work_.get()] {
      outcome_ = Do([work] { return work->spent(); });
    });
  }
  if (!work_->Run(std::min(patience, kLongestSlice))) return;
  Note(std::exchange(outcome_, {}));
}

absl::Duration ProfileMeasurement::CoreWait() const {
  const bool is_timed = phase_ == Phase::kTime || phase_ == Phase::kDecode;
  const bool counts =
      is_timed && subject_->on_cpu() && options_.core_wait != nullptr;
  return counts ? options_.core_wait() : absl::ZeroDuration();
}

ProfileMeasurement::Outcome ProfileMeasurement::Do(
    const std::function<absl::Duration()>& time) const {
  const bool is_new =
      phase_ == Phase::kWarmUp || phase_ == Phase::kWarmUpDecode;
  if (phase_ == Phase::kWarmUp) {
    subject_->Prepare(rows_, /*at_leisure=*/!interleaved_);
  }
  std::optional<MemoryMeter> meter;
  if (is_new) meter.emplace();
  Outcome outcome;
  const absl::Duration waited = CoreWait();
  const absl::Duration begin = time();
  if (phase_ == Phase::kWarmUpDecode || phase_ == Phase::kDecode) {
    subject_->Decode();
  } else {
    outcome.rows = subject_->Evaluate();
  }
  outcome.time = time() - begin;
  outcome.starved = CoreWait() - waited > kMostWaiting * outcome.time;
  if (is_new) outcome.peak_bytes = meter->peak_bytes();
  return outcome;
}

void ProfileMeasurement::Note(const Outcome& outcome) {
  last_ = outcome.time;
  spent_ += last_;
  switch (phase_) {
    case Phase::kWarmUp:
      // Kernels are made for every shape on first use: its time says little.
      // Recordings have as much memory for themselves.
      profile_.activation_bytes =
          outcome.peak_bytes * (subject_->on_cpu() ? 1 : 2);
      if (rows_ == 1) alone_ = outcome.rows;
      profile_.rows_independent =
          profile_.rows_independent &&
          at::equal(outcome.rows.narrow(0, rows_ - 1, 1), alone_);
      phase_ = Phase::kTime;
      return;
    case Phase::kTime:
    case Phase::kDecode:
      second_ = std::min(second_, std::max(best_, last_));
      best_ = std::min(best_, last_);
      if (!outcome.starved) undisturbed_ = std::min(undisturbed_, last_);
      timed_ += last_;
      ++repeats_;
      if (!RepeatedEnough()) return;
      if (!Undisturbed()) sound_ = false;
      if (interleaved_ && repeats_ > 1 && second_ > kAgreement * best_) {
        sound_ = false;
      }
      EndOfRepeats();
      return;
    case Phase::kWarmUpDecode:
      profile_.decode_bytes = outcome.peak_bytes;
      phase_ = Phase::kDecode;
      return;
  }
}

// On a busy machine, too: a start waits for it.
bool ProfileMeasurement::RepeatedEnough() const {
  const bool long_enough = timed_ > kEnoughTime;
  if (phase_ == Phase::kDecode) return repeats_ == kLeastRepeats || long_enough;
  return repeats_ == kMostRepeats || (repeats_ >= kLeastRepeats && long_enough);
}

bool ProfileMeasurement::Undisturbed() const {
  return undisturbed_ <= kAgreement * best_;
}

void ProfileMeasurement::EndOfRepeats() {
  const absl::Duration best = std::exchange(best_, absl::InfiniteDuration());
  if (phase_ == Phase::kDecode) {
    profile_.decode = best;
    done_ = true;
    return;
  }
  measured_[rows_] = best;
  all_timed_ += timed_;
  undisturbed_ = absl::InfiniteDuration();
  second_ = absl::InfiniteDuration();
  timed_ = absl::ZeroDuration();
  repeats_ = 0;
  if (Enough()) return EndOfEvaluations();
  rows_ *= 2;
  phase_ = Phase::kWarmUp;
}

bool ProfileMeasurement::Enough() const {
  // By two doublings, as the first may have been disturbed.
  const bool past_the_knee =
      rows_ > 4 &&
      StepCosts(measured_).RowCap(options_.largest_rows) < rows_ / 2;
  return past_the_knee || 2 * rows_ > options_.largest_rows ||
         2 * profile_.activation_bytes > options_.memory_bytes ||
         all_timed_ > options_.budget ||
         spent_ > kMostPreparation * options_.budget;
}

void ProfileMeasurement::EndOfEvaluations() {
  subject_->Forget();
  profile_.costs = StepCosts(measured_);
  phase_ = Phase::kWarmUpDecode;
}

}  // namespace genzo
