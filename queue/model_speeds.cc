#include "queue/model_speeds.h"

#include <algorithm>
#include <cmath>

namespace genzo {
namespace {

// Weight of the newest measurement.
constexpr double kNewest = 0.1;
// One evaluation that was held up says little.
constexpr double kMaxCorrection = 4;

// Of a picture, in those of the model's own size.
double Area(const ModelSpeed& speed, int64_t pixels) {
  return static_cast<double>(pixels) / speed.own_pixels;
}

// The model's profile as it would be at another size.
StepCosts AtSize(const ModelSpeed& speed, int64_t pixels) {
  const double area = Area(speed, pixels);
  std::map<int, absl::Duration> points;
  for (int rows = 1; rows <= std::max(2, speed.largest_batch); rows *= 2) {
    points[rows] = speed.costs.At(rows, area);
  }
  return StepCosts(std::move(points));
}

// `profile` with the points of `measured`, and between them in proportion to
// the nearest one.
StepCosts Drawn(const StepCosts& profile,
                const std::map<int, absl::Duration>& measured) {
  std::map<int, absl::Duration> points = profile.measured();
  for (auto& [rows, duration] : points) {
    const auto nearest = std::min_element(
        measured.begin(), measured.end(),
        [rows = rows](const auto& a, const auto& b) {
          return std::abs(std::log2(a.first) - std::log2(rows)) <
                 std::abs(std::log2(b.first) - std::log2(rows));
        });
    duration *= absl::FDivDuration(nearest->second, profile.At(nearest->first));
  }
  for (const auto& [rows, duration] : measured) points[rows] = duration;
  return StepCosts(std::move(points));
}

// Draws `known` to what was measured now: against what was learned, as a
// profile may come from a bad moment.
void Learn(absl::Duration took, bool is_new, absl::Duration& known) {
  const absl::Duration sane =
      std::clamp(took, known / kMaxCorrection, known * kMaxCorrection);
  known += (is_new ? 1 : kNewest) * (sane - known);
}

int RowCapAt(const ModelSpeed& speed, int64_t pixels, int largest) {
  return speed.costs.RowCap(largest, Area(speed, pixels));
}

// Of a job that has a device to itself: every evaluation takes as many of the
// images that are left as fit.
absl::Duration SoloTimeOn(const DemandSpeed& speed, const JobDemand& demand) {
  const int together = std::max(1, speed.row_cap / demand.rows);
  const int full = demand.images / together;
  const int rest = demand.images % together;
  absl::Duration once = full * speed.costs.At(together * demand.rows);
  if (rest > 0) once += speed.costs.At(rest * demand.rows);
  return once * demand.load * speed.evaluations + speed.decode;
}

}  // namespace

void ModelSpeeds::SetSpeed(int device, const std::string& model,
                           ModelSpeed speed) {
  absl::MutexLock lock(&mutex_);
  profiles_[{model, device}] = std::move(speed);
}

void ModelSpeeds::Observe(int device, const JobDemand& demand, int rows,
                          absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  const ModelSpeed* const speed = SpeedLocked(device, demand.model);
  if (speed == nullptr) return;
  const StepCosts profile = AtSize(*speed, demand.pixels);
  LearnedCosts& learned = learned_[{demand.model, demand.pixels, device}];
  if (learned.seen.insert(rows).second) return;
  const auto [place, is_new] =
      learned.measured.try_emplace(rows, profile.At(rows));
  Learn(took, is_new, place->second);
  learned.costs = Drawn(profile, learned.measured);
}

void ModelSpeeds::ObserveDecode(int device, const JobDemand& demand,
                                absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  const auto [place, is_new] =
      decodes_.try_emplace({demand.model, demand.pixels, device},
                           DecodeLocked(device, demand.model, demand.pixels));
  Learn(took, is_new, place->second);
}

bool ModelSpeeds::Knows(const std::string& model) const {
  absl::ReaderMutexLock lock(&mutex_);
  return SpeedLocked(0, model) != nullptr;
}

DemandSpeed ModelSpeeds::Of(int device, const JobDemand& demand) const {
  absl::ReaderMutexLock lock(&mutex_);
  return OfLocked(device, demand);
}

int ModelSpeeds::RowCap(int device, const JobDemand& demand,
                        int largest) const {
  absl::ReaderMutexLock lock(&mutex_);
  const ModelSpeed* const speed = SpeedLocked(device, demand.model);
  return speed == nullptr ? largest : RowCapAt(*speed, demand.pixels, largest);
}

std::vector<double> ModelSpeeds::StepSeconds(int device,
                                             const JobDemand& demand,
                                             int rows) const {
  std::vector<double> seconds(rows, 1.0);
  absl::ReaderMutexLock lock(&mutex_);
  if (SpeedLocked(device, demand.model) == nullptr) return seconds;
  const StepCosts costs = CostsLocked(device, demand.model, demand.pixels);
  for (int i = 0; i < rows; ++i) {
    seconds[i] = absl::ToDoubleSeconds(costs.At(i + 1));
  }
  return seconds;
}

absl::Duration ModelSpeeds::SoloTime(const JobDemand& demand) const {
  absl::ReaderMutexLock lock(&mutex_);
  absl::Duration least = absl::InfiniteDuration();
  for (auto profile = profiles_.lower_bound({demand.model, 0});
       profile != profiles_.end() && profile->first.first == demand.model;
       ++profile) {
    const DemandSpeed speed = OfLocked(profile->first.second, demand);
    if (speed.costs.known()) least = std::min(least, SoloTimeOn(speed, demand));
  }
  return least == absl::InfiniteDuration() ? absl::ZeroDuration() : least;
}

absl::Time ModelSpeeds::LatestStart(const JobDemand& demand) const {
  const absl::Duration solo = SoloTime(demand);
  return std::min(demand.deadline, demand.accepted + kPatience * solo) - solo;
}

ModelSpeeds::Profiles ModelSpeeds::All() const {
  absl::ReaderMutexLock lock(&mutex_);
  Profiles all = profiles_;
  for (auto& [key, speed] : all) {
    const auto& [model, device] = key;
    // At the rows that were measured, as row caps go by these.
    const StepCosts costs = CostsLocked(device, model, speed.own_pixels);
    std::map<int, absl::Duration> points;
    for (const auto& [rows, duration] : speed.costs.measured()) {
      points[rows] = costs.At(rows);
    }
    speed.costs = StepCosts(std::move(points));
    speed.decode = DecodeLocked(device, model, speed.own_pixels);
  }
  return all;
}

const ModelSpeed* ModelSpeeds::SpeedLocked(int device,
                                           const std::string& model) const {
  auto found = profiles_.find({model, device});
  if (found == profiles_.end()) found = profiles_.lower_bound({model, 0});
  const bool known = found != profiles_.end() && found->first.first == model &&
                     found->second.costs.known();
  return known ? &found->second : nullptr;
}

StepCosts ModelSpeeds::CostsLocked(int device, const std::string& model,
                                   int64_t pixels) const {
  const auto found = learned_.find({model, pixels, device});
  if (found != learned_.end() && found->second.costs.known()) {
    return found->second.costs;
  }
  const ModelSpeed* const speed = SpeedLocked(device, model);
  return speed == nullptr ? StepCosts() : AtSize(*speed, pixels);
}

absl::Duration ModelSpeeds::DecodeLocked(int device, const std::string& model,
                                         int64_t pixels) const {
  const auto found = decodes_.find({model, pixels, device});
  if (found != decodes_.end()) return found->second;
  const ModelSpeed* const speed = SpeedLocked(device, model);
  return speed == nullptr ? absl::ZeroDuration()
                          : speed->decode * Area(*speed, pixels);
}

DemandSpeed ModelSpeeds::OfLocked(int device, const JobDemand& demand) const {
  DemandSpeed result;
  result.evaluations = demand.steps;
  const ModelSpeed* const speed = SpeedLocked(device, demand.model);
  if (speed == nullptr) return result;
  const auto counted = speed->evaluations.find(demand.sampler);
  if (counted != speed->evaluations.end()) {
    result.evaluations = counted->second.Of(demand.steps);
  }
  result.costs = CostsLocked(device, demand.model, demand.pixels);
  result.row_cap = RowCapAt(*speed, demand.pixels, speed->largest_batch);
  result.decode = DecodeLocked(device, demand.model, demand.pixels);
  return result;
}

}  // namespace genzo
