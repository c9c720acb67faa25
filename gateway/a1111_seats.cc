#include "gateway/a1111_seats.h"

#include <algorithm>

#include "base/proto_time.h"

namespace genzo {
namespace {

// Whoever makes up keys finds no more memory than this.
constexpr size_t kMaxSeats = 4096;

}  // namespace

double SeatedJob::Share() const {
  if (images == 0) return 0;
  double done = 0;
  for (const auto& [image, walk] : walks) {
    if (walk.steps > 0) done += static_cast<double>(walk.step) / walk.steps;
  }
  return std::min(1.0, done / images);
}

A1111Seats::Ticket::Ticket(A1111Seats& seats, CallerKeys keys, uint32_t images)
    : seats_(seats), keys_(std::move(keys)) {
  job_.images = images;
  const absl::MutexLock lock(&seats_.mutex_);
  seats_.SeatOf(keys_).jobs.push_back(this);
}

A1111Seats::Ticket::~Ticket() {
  const absl::MutexLock lock(&seats_.mutex_);
  seats_.SeatOf(keys_).jobs.remove(this);
}

void A1111Seats::Ticket::Take(const v1::JobEvent& event, uint32_t place) {
  const absl::MutexLock lock(&seats_.mutex_);
  if (event.has_started()) {
    job_.resolved = event.started().resolved();
    // One look at a time: those before are behind it.
    if (place > 0) job_.previews.clear();
  }
  if (event.has_progress()) {
    const v1::Progress& progress = event.progress();
    job_.walks[place + progress.image_index()] = {progress.step(),
                                                  progress.steps()};
    job_.time_left = FromProto(progress.time_left());
  } else if (event.has_preview()) {
    job_.previews[place + event.preview().image_index()] =
        event.preview().picture().data();
  } else if (event.has_image()) {
    const uint32_t index = place + event.image().image_index();
    job_.previews[index] = event.image().picture().data();
    // Whole, also where nothing told of its steps.
    SeatedJob::Walk& walk = job_.walks[index];
    walk.steps = std::max(walk.steps, 1u);
    walk.step = walk.steps;
  }
}

SeatedJob A1111Seats::Ticket::job() const {
  const absl::MutexLock lock(&seats_.mutex_);
  return job_;
}

A1111Seats::Seat& A1111Seats::SeatOf(const CallerKeys& keys) {
  if (seats_.size() >= kMaxSeats && seats_.count(keys) == 0) {
    auto oldest = seats_.end();
    for (auto seat = seats_.begin(); seat != seats_.end(); ++seat) {
      if (!seat->second.jobs.empty()) continue;
      if (oldest == seats_.end() ||
          seat->second.last_use < oldest->second.last_use) {
        oldest = seat;
      }
    }
    if (oldest != seats_.end()) seats_.erase(oldest);
  }
  Seat& seat = seats_[keys];
  seat.last_use = ++uses_;
  return seat;
}

std::shared_ptr<A1111Seats::Ticket> A1111Seats::Sit(const CallerKeys& keys,
                                                    uint32_t images) {
  return std::make_shared<Ticket>(*this, keys, images);
}

std::optional<SeatedJob> A1111Seats::Latest(const CallerKeys& keys) const {
  const absl::MutexLock lock(&mutex_);
  const auto seat = seats_.find(keys);
  if (seat == seats_.end() || seat->second.jobs.empty()) return std::nullopt;
  return seat->second.jobs.back()->job_;
}

void A1111Seats::Interrupt(const CallerKeys& keys) {
  // Called with no lock held: the ends of streams take it.
  std::vector<std::shared_ptr<LateCancel>> cancels;
  {
    const absl::MutexLock lock(&mutex_);
    const auto seat = seats_.find(keys);
    if (seat == seats_.end()) return;
    for (Ticket* ticket : seat->second.jobs) {
      ticket->job_.was_interrupted = true;
      cancels.push_back(ticket->cancel_);
    }
  }
  for (const auto& cancel : cancels) cancel->Cancel();
}

std::string A1111Seats::Model(const CallerKeys& keys) const {
  const absl::MutexLock lock(&mutex_);
  const auto seat = seats_.find(keys);
  return seat == seats_.end() ? "" : seat->second.model;
}

void A1111Seats::ChooseModel(const CallerKeys& keys, const std::string& model) {
  const absl::MutexLock lock(&mutex_);
  SeatOf(keys).model = model;
}

nlohmann::json A1111Seats::Settings(const CallerKeys& keys) const {
  const absl::MutexLock lock(&mutex_);
  const auto seat = seats_.find(keys);
  return seat == seats_.end() ? nlohmann::json::object()
                              : seat->second.settings;
}

void A1111Seats::ChangeSettings(const CallerKeys& keys,
                                const nlohmann::json& settings) {
  const absl::MutexLock lock(&mutex_);
  SeatOf(keys).settings.update(settings);
}

}  // namespace genzo
