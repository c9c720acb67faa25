#include "gateway/a1111_seats.h"

#include <algorithm>

#include "base/proto_time.h"

namespace genzo {
namespace {

// Whoever makes up keys finds no more memory than this.
constexpr size_t kMaxSeats = 4096;

}  // namespace

double SeatedJob::Share() const {
  if (steps == 0 || images == 0) return 0;
  uint64_t done = 0;
  for (const auto& [image, step] : steps_by_image) done += step;
  return std::min(1.0, static_cast<double>(done) / steps / images);
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

void A1111Seats::Ticket::Take(const v1::JobEvent& event) {
  const absl::MutexLock lock(&seats_.mutex_);
  if (event.has_started()) {
    job_.resolved = event.started().resolved();
    job_.steps = job_.resolved->steps();
  }
  if (event.has_progress()) {
    job_.steps = event.progress().steps();
    job_.steps_by_image[event.progress().image_index()] =
        event.progress().step();
    job_.time_left = FromProto(event.progress().time_left());
  } else if (event.has_preview()) {
    job_.previews[event.preview().image_index()] =
        event.preview().picture().data();
  } else if (event.has_image()) {
    job_.previews[event.image().image_index()] = event.image().picture().data();
    job_.steps_by_image[event.image().image_index()] = job_.steps;
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
