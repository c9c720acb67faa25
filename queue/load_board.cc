#include "queue/load_board.h"

#include <algorithm>
#include <cmath>

namespace genzo {
namespace {

// Weight of the newest measurement.
constexpr double kNewest = 0.1;
// How far one job moves what is known of lateness.
constexpr double kMedianStep = 1.02;
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

int CountSteps(const std::vector<int>& steps_left) {
  int sum = 0;
  for (int steps : steps_left) sum += steps;
  return sum;
}

}  // namespace

void LoadBoard::SetDevices(int devices) {
  absl::MutexLock lock(&mutex_);
  devices_ = devices;
  busy_until_.assign(devices, absl::InfinitePast());
  started_.assign(devices, 0);
}

void LoadBoard::SetSpeed(const std::string& model, ModelSpeed speed) {
  absl::MutexLock lock(&mutex_);
  speeds_[model] = std::move(speed);
}

void LoadBoard::Begin(int device, const JobWork& work, int rows,
                      absl::Time now) {
  absl::MutexLock lock(&mutex_);
  busy_until_[device % devices_] =
      now + CostsLocked(work.model, work.pixels).At(rows);
}

void LoadBoard::Observe(const std::string& model, int64_t pixels, int rows,
                        absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  const ModelSpeed* const speed = SpeedLocked(model);
  if (speed == nullptr) return;
  const StepCosts profile = AtSize(*speed, pixels);
  LearnedCosts& learned = learned_[{model, pixels}];
  const auto [place, is_new] =
      learned.measured.try_emplace(rows, profile.At(rows));
  Learn(took, is_new, place->second);
  learned.costs = Drawn(profile, learned.measured);
}

void LoadBoard::ObserveDecode(const std::string& model, int64_t pixels,
                              absl::Duration took) {
  absl::MutexLock lock(&mutex_);
  const auto [place, is_new] =
      decodes_.try_emplace({model, pixels}, DecodeLocked(model, pixels));
  Learn(took, is_new, place->second);
}

void LoadBoard::Add(const std::string& job_id, const JobWork& work,
                    std::optional<absl::Duration> predicted) {
  absl::MutexLock lock(&mutex_);
  Entry entry = EntryLocked(work);
  entry.forecast =
      predicted.value_or(absl::ZeroDuration()) / LatenessLocked(work.accepted);
  entry.arrival = ++arrivals_;
  jobs_[job_id] = std::move(entry);
  predictions_.made = absl::InfinitePast();
}

void LoadBoard::LearnFrom(const std::string& job_id, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  const Entry& entry = found->second;
  recent_.push_back({EntryLocked(entry.work), now, arrivals_ - entry.arrival});
  if (recent_.size() > kRecent) recent_.pop_front();
  if (entry.forecast <= absl::ZeroDuration()) return;
  // Follows the median: a few that were held up long would drag a mean along.
  const double ratio =
      absl::FDivDuration(now - entry.work.accepted, entry.forecast);
  lateness_ = LatenessLocked(now);
  lateness_ *= ratio > lateness_ ? kMedianStep : 1 / kMedianStep;
  lateness_ = std::clamp(lateness_, 1 / kMaxCorrection, kMaxCorrection);
  lateness_known_ = now;
}

void LoadBoard::Start(const std::string& job_id, int device) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  CountLocked(found->second, -1);
  found->second.device = device % devices_;
  CountLocked(found->second, +1);
}

bool LoadBoard::OthersAreFreer(int device) const {
  absl::ReaderMutexLock lock(&mutex_);
  const int64_t least = *std::min_element(started_.begin(), started_.end());
  const auto own = static_cast<double>(started_[device % devices_]);
  return static_cast<double>(least) < kFreerShare * own;
}

void LoadBoard::Advance(const std::string& job_id, int image, int steps_left) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  CountLocked(found->second, -1);
  found->second.steps_left[image] = steps_left;
  CountLocked(found->second, +1);
}

void LoadBoard::Remove(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  CountLocked(found->second, -1);
  jobs_.erase(found);
  predictions_.made = absl::InfinitePast();
}

absl::Duration LoadBoard::SoloTime(const JobWork& work) const {
  absl::ReaderMutexLock lock(&mutex_);
  return SoloLocked(work);
}

absl::Time LoadBoard::StartBy(const JobWork& work) const {
  absl::ReaderMutexLock lock(&mutex_);
  return StartByLocked(work);
}

std::vector<double> LoadBoard::StepSeconds(const JobWork& work,
                                           int rows) const {
  std::vector<double> seconds(rows, 1.0);
  absl::ReaderMutexLock lock(&mutex_);
  if (SpeedLocked(work.model) == nullptr) return seconds;
  const StepCosts costs = CostsLocked(work.model, work.pixels);
  for (int i = 0; i < rows; ++i) {
    seconds[i] = absl::ToDoubleSeconds(costs.At(i + 1));
  }
  return seconds;
}

int LoadBoard::RowCap(const std::string& model, int64_t pixels,
                      int largest) const {
  absl::ReaderMutexLock lock(&mutex_);
  const ModelSpeed* const speed = SpeedLocked(model);
  if (speed == nullptr) return largest;
  return speed->costs.RowCap(largest,
                             static_cast<double>(pixels) / speed->own_pixels);
}

std::optional<absl::Duration> LoadBoard::PredictNew(const JobWork& work) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (SpeedLocked(work.model) == nullptr) return std::nullopt;
  Entry newcomer = EntryLocked(work);
  newcomer.joins = BusyLocked(work.accepted);
  const std::vector<Entry> expected = ExpectedLocked(work.accepted);
  std::vector<const Entry*> entries = {&newcomer};
  for (const auto& [id, entry] : jobs_) entries.push_back(&entry);
  for (const Entry& entry : expected) entries.push_back(&entry);
  return PredictLocked(entries)[&newcomer] * LatenessLocked(work.accepted);
}

std::map<std::string, absl::Duration> LoadBoard::PredictAll(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (now - predictions_.made > kFresh) PredictAllLocked(now);
  std::map<std::string, absl::Duration> all;
  for (const auto& [id, finish] : predictions_.finish) {
    all[id] = std::max(absl::ZeroDuration(), finish - now);
  }
  return all;
}

void LoadBoard::PredictAllLocked(absl::Time now) {
  const std::vector<Entry> expected = ExpectedLocked(now);
  std::vector<const Entry*> entries = NearestLocked();
  for (const Entry& entry : expected) entries.push_back(&entry);
  const auto predicted = PredictLocked(entries);
  const double lateness = LatenessLocked(now);
  predictions_ = {.made = now, .finish = {}};
  for (const auto& [id, entry] : jobs_) {
    const auto found = predicted.find(&entry);
    const bool known =
        found != predicted.end() && SpeedLocked(entry.work.model) != nullptr;
    if (known) predictions_.finish[id] = now + found->second * lateness;
  }
}

const ModelSpeed* LoadBoard::SpeedLocked(const std::string& model) const {
  const auto found = speeds_.find(model);
  const bool known = found != speeds_.end() && found->second.costs.known();
  return known ? &found->second : nullptr;
}

double LoadBoard::AreaLocked(const JobWork& work) const {
  const ModelSpeed* const speed = SpeedLocked(work.model);
  return speed == nullptr ? 1 : Area(*speed, work.pixels);
}

StepCosts LoadBoard::CostsLocked(const std::string& model,
                                 int64_t pixels) const {
  const auto found = learned_.find({model, pixels});
  if (found != learned_.end()) return found->second.costs;
  const ModelSpeed* const speed = SpeedLocked(model);
  return speed == nullptr ? StepCosts() : AtSize(*speed, pixels);
}

absl::Duration LoadBoard::DecodeLocked(const std::string& model,
                                       int64_t pixels) const {
  const auto found = decodes_.find({model, pixels});
  if (found != decodes_.end()) return found->second;
  const ModelSpeed* const speed = SpeedLocked(model);
  return speed == nullptr ? absl::ZeroDuration()
                          : speed->decode * Area(*speed, pixels);
}

int LoadBoard::EvaluationsLocked(const JobWork& work) const {
  const ModelSpeed* const speed = SpeedLocked(work.model);
  if (speed == nullptr) return work.steps;
  const auto found = speed->evaluations.find(work.sampler);
  return found == speed->evaluations.end() ? work.steps
                                           : found->second.Of(work.steps);
}

absl::Duration LoadBoard::SoloLocked(const JobWork& work) const {
  if (SpeedLocked(work.model) == nullptr) return absl::ZeroDuration();
  const std::vector<ForecastItem> items(
      work.images, {.rows = work.rows, .steps_left = EvaluationsLocked(work)});
  const std::vector<absl::Duration> finish =
      Forecast(items, {ShapeLocked(work)});
  return *std::max_element(finish.begin(), finish.end()) +
         DecodeLocked(work.model, work.pixels);
}

absl::Time LoadBoard::StartByLocked(const JobWork& work) const {
  const absl::Duration solo = SoloLocked(work);
  return std::min(work.deadline, work.accepted + kPatience * solo) - solo;
}

ForecastShape LoadBoard::ShapeLocked(const JobWork& work) const {
  const ModelSpeed* const speed = SpeedLocked(work.model);
  if (speed == nullptr) return {};
  return {.costs = CostsLocked(work.model, work.pixels),
          .row_cap = RowCapLocked(work)};
}

int LoadBoard::RowCapLocked(const JobWork& work) const {
  const ModelSpeed* const speed = SpeedLocked(work.model);
  if (speed == nullptr) return ForecastShape().row_cap;
  return speed->costs.RowCap(speed->largest_batch, AreaLocked(work));
}

LoadBoard::Entry LoadBoard::EntryLocked(const JobWork& work) const {
  return {.work = work,
          .start_by = StartByLocked(work),
          .device = std::nullopt,
          .steps_left = std::vector<int>(work.images, EvaluationsLocked(work)),
          .forecast = absl::ZeroDuration(),
          .joins = absl::ZeroDuration()};
}

absl::Duration LoadBoard::BusyLocked(absl::Time now) const {
  const absl::Time first =
      *std::min_element(busy_until_.begin(), busy_until_.end());
  return std::max(absl::ZeroDuration(), first - now);
}

std::vector<LoadBoard::Entry> LoadBoard::ExpectedLocked(absl::Time now) const {
  if (recent_.size() < kRecent) return {};
  // No more often than jobs were done, and no more than came while others were
  // here: clients that wait for their picture add nobody's company but others'.
  absl::Duration stay;
  int64_t overlapping = 0;
  for (const Done& done : recent_) {
    stay += done.at - done.entry.work.accepted;
    overlapping += done.overlapping;
  }
  if (overlapping == 0) return {};
  const absl::Time first = recent_.front().at;
  const absl::Duration window = now - first;
  const absl::Duration gap = std::max(window / kRecent, stay / overlapping);
  const double stretch = absl::FDivDuration(gap * kRecent, window);
  std::vector<Entry> expected;
  for (const Done& done : recent_) {
    Entry& entry = expected.emplace_back(done.entry);
    entry.expected = true;
    entry.joins = (done.at - first) * stretch + gap;
    entry.start_by += now + entry.joins - entry.work.accepted;
  }
  return expected;
}

std::vector<const LoadBoard::Entry*> LoadBoard::NearestLocked() const {
  std::vector<const Entry*> started;
  std::vector<const Entry*> waiting;
  for (const auto& [id, entry] : jobs_) {
    (entry.device.has_value() ? started : waiting).push_back(&entry);
  }
  if (waiting.size() > kWaitingPredicted) {
    std::nth_element(waiting.begin(), waiting.begin() + kWaitingPredicted,
                     waiting.end(), [](const Entry* a, const Entry* b) {
                       return a->start_by < b->start_by;
                     });
    waiting.resize(kWaitingPredicted);
  }
  started.insert(started.end(), waiting.begin(), waiting.end());
  return started;
}

double LoadBoard::LatenessLocked(absl::Time now) const {
  const absl::Duration age =
      std::max(absl::ZeroDuration(), now - lateness_known_ - kForgetLateness);
  return std::pow(lateness_,
                  std::exp2(-absl::FDivDuration(age, kForgetLateness)));
}

double LoadBoard::WorkLocked(const Entry& entry) const {
  return CountSteps(entry.steps_left) * entry.work.rows *
         AreaLocked(entry.work);
}

void LoadBoard::CountLocked(const Entry& entry, int sign) {
  if (!entry.device.has_value()) return;
  started_[*entry.device] +=
      sign * CountSteps(entry.steps_left) * entry.work.rows * entry.work.pixels;
}

// The order of service: a tenant's jobs by their latest start, and between
// tenants those that were given least for their weight, as queue and batcher
// have it.
void LoadBoard::SortLocked(std::vector<const Entry*>& entries) const {
  std::stable_sort(
      entries.begin(), entries.end(),
      [](const Entry* a, const Entry* b) { return a->start_by < b->start_by; });
  std::map<std::pair<std::string, double>, double> given;
  std::vector<std::pair<double, const Entry*>> order;
  for (const Entry* entry : entries) {
    double& sum = given[{entry->work.tenant, entry->work.weight}];
    sum += WorkLocked(*entry) / entry->work.weight;
    order.emplace_back(sum, entry);
  }
  std::stable_sort(
      order.begin(), order.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < order.size(); ++i) entries[i] = order[i].second;
}

// Jobs that no device has yet go to the one with the least work, in order.
std::vector<int> LoadBoard::DealLocked(
    const std::vector<const Entry*>& entries) const {
  std::vector<double> work(devices_, 0.0);
  for (const Entry* entry : entries) {
    if (!entry->device.has_value()) continue;
    work[*entry->device] += WorkLocked(*entry);
  }
  std::vector<int> dealt;
  for (const Entry* entry : entries) {
    if (entry->device.has_value()) {
      dealt.push_back(*entry->device);
      continue;
    }
    const auto least = std::min_element(work.begin(), work.end());
    dealt.push_back(static_cast<int>(least - work.begin()));
    *least += WorkLocked(*entry);
  }
  return dealt;
}

std::set<std::pair<std::string, double>> LoadBoard::GuestsLocked(
    const std::vector<const Entry*>& entries) const {
  std::map<std::pair<std::string, double>, double> evaluations;
  for (const Entry* entry : entries) {
    const JobWork& work = entry->work;
    double& sum = evaluations[{work.tenant, work.weight}];
    if (entry->expected) continue;
    sum += 1.0 * work.rows * work.images / RowCapLocked(work);
  }
  std::set<std::pair<std::string, double>> guests;
  for (const auto& [flow, sum] : evaluations) {
    if (sum > devices_) guests.insert(flow);
  }
  return guests;
}

std::map<const LoadBoard::Entry*, absl::Duration> LoadBoard::PredictLocked(
    std::vector<const Entry*> entries) const {
  SortLocked(entries);
  const std::vector<int> dealt = DealLocked(entries);
  const auto guests = GuestsLocked(entries);
  std::map<std::pair<std::string, int64_t>, int> shape_of;
  std::vector<ForecastShape> shapes;
  std::vector<std::vector<ForecastItem>> items(devices_);
  std::vector<std::vector<const Entry*>> owners(devices_);
  for (size_t i = 0; i < entries.size(); ++i) {
    const JobWork& work = entries[i]->work;
    const auto [place, is_new] = shape_of.try_emplace(
        {work.model, work.pixels}, static_cast<int>(shapes.size()));
    if (is_new) shapes.push_back(ShapeLocked(work));
    for (int steps_left : entries[i]->steps_left) {
      items[dealt[i]].push_back(
          {.shape = place->second,
           .rows = work.rows,
           .steps_left = steps_left,
           .joins = entries[i]->joins,
           .expected = entries[i]->expected,
           .guest = guests.count({work.tenant, work.weight}) > 0});
      owners[dealt[i]].push_back(entries[i]);
    }
  }
  std::map<const Entry*, absl::Duration> predicted;
  for (int device = 0; device < devices_; ++device) {
    const auto finish = Forecast(items[device], shapes);
    for (size_t k = 0; k < finish.size(); ++k) {
      const Entry* const owner = owners[device][k];
      absl::Duration& last = predicted[owner];
      last = std::max(last, finish[k] + DecodeLocked(owner->work.model,
                                                     owner->work.pixels));
    }
  }
  return predicted;
}

}  // namespace genzo
