#ifndef GENZO_GATEWAY_A1111_SEATS_H_
#define GENZO_GATEWAY_A1111_SEATS_H_

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gateway/backend.h"
#include "gateway/late_cancel.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A job under way, as A1111's `progress` tells it.
struct SeatedJob {
  struct Walk {
    uint32_t step = 0;
    uint32_t steps = 0;  // of all of an image's passes; tiles, of one enlarged
  };
  std::map<uint32_t, Walk> walks;  // by image, of those that have begun
  std::map<uint32_t, std::string> previews;  // files, the latest of each image
  std::optional<v1::GenerateRequest> resolved;  // once it has begun
  uint32_t images = 1;
  absl::Duration time_left;
  bool was_interrupted = false;

  // 0 to 1, over all images, of which each counts the same.
  double Share() const;
};

// A1111 was made for one user: its chosen model, its progress and its interrupt
// know no job's name. Here every caller has a seat of its own, told apart by
// their keys. Thread-safe.
class A1111Seats {
 public:
  // One job; leaves its seat when it is dropped.
  class Ticket {
   public:
    Ticket(A1111Seats& seats, CallerKeys keys, uint32_t images);
    ~Ticket();
    // Of a job that is one of several behind each other for one request, which
    // has one image: `place` is that image's in the request.
    void Take(const v1::JobEvent& event, uint32_t place = 0);
    // How interrupt ends it; is called at once if it has been interrupted.
    void SetCancel(CancelStream cancel) { cancel_->Set(std::move(cancel)); }
    SeatedJob job() const;

   private:
    friend class A1111Seats;
    A1111Seats& seats_;
    const CallerKeys keys_;
    SeatedJob job_;
    const std::shared_ptr<LateCancel> cancel_ = std::make_shared<LateCancel>();
  };
  // `images` are those that are painted, also if fewer are sent.
  std::shared_ptr<Ticket> Sit(const CallerKeys& keys, uint32_t images);

  // The job that began last.
  std::optional<SeatedJob> Latest(const CallerKeys& keys) const;
  // Ends all jobs.
  void Interrupt(const CallerKeys& keys);

  // The model that was chosen by `options`; empty: none.
  std::string Model(const CallerKeys& keys) const;
  void ChooseModel(const CallerKeys& keys, const std::string& model);
  // What else was set by `options`, by A1111's names; an object.
  nlohmann::json Settings(const CallerKeys& keys) const;
  void ChangeSettings(const CallerKeys& keys, const nlohmann::json& settings);

 private:
  struct Seat {
    std::string model;
    nlohmann::json settings = nlohmann::json::object();
    std::list<Ticket*> jobs;  // the latest last
    uint64_t last_use = 0;    // of uses_
  };
  // One that nobody has sat on for longest makes room for a new one.
  Seat& SeatOf(const CallerKeys& keys) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;  // also of what is in the tickets
  std::map<CallerKeys, Seat> seats_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_SEATS_H_
