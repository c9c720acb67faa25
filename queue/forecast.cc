#include "queue/forecast.h"

#include <algorithm>
#include <limits>

namespace genzo {
namespace {

// The items of one shape: those that share evaluations now, and those behind.
class Lane {
 public:
  explicit Lane(const ForecastShape& shape) : shape_(shape) {}

  void Add(size_t index, const ForecastItem& item) {
    if (item.steps_left > 0) behind_.push_back({index, item});
  }

  // Lets items from behind in while they fit.
  void Fill() {
    while (next_ < behind_.size() &&
           (batch_.empty() ||
            rows_ + behind_[next_].item.rows <= shape_.row_cap)) {
      rows_ += behind_[next_].item.rows;
      batch_.push_back(behind_[next_++]);
    }
  }

  // Of one evaluation; zero without items.
  absl::Duration Time() const {
    return batch_.empty() ? absl::ZeroDuration() : shape_.costs.At(rows_);
  }

  int FewestSteps() const {
    int fewest = std::numeric_limits<int>::max();
    for (const Member& member : batch_) {
      fewest = std::min(fewest, member.item.steps_left);
    }
    return fewest;
  }

  void Step(int steps, absl::Duration now,
            std::vector<absl::Duration>& finish) {
    for (Member& member : batch_) {
      member.item.steps_left -= steps;
      if (member.item.steps_left > 0) continue;
      finish[member.index] = now;
      rows_ -= member.item.rows;
    }
    const auto done = [](const Member& member) {
      return member.item.steps_left == 0;
    };
    batch_.erase(std::remove_if(batch_.begin(), batch_.end(), done),
                 batch_.end());
  }

 private:
  struct Member {
    size_t index;
    ForecastItem item;
  };

  const ForecastShape& shape_;
  std::vector<Member> behind_;
  size_t next_ = 0;
  std::vector<Member> batch_;
  int rows_ = 0;
};

}  // namespace

std::vector<absl::Duration> Forecast(absl::Span<const ForecastItem> items,
                                     absl::Span<const ForecastShape> shapes) {
  std::vector<Lane> lanes(shapes.begin(), shapes.end());
  for (size_t i = 0; i < items.size(); ++i)
    lanes[items[i].shape].Add(i, items[i]);
  std::vector<absl::Duration> finish(items.size());
  absl::Duration now;
  while (true) {
    absl::Duration round;  // one evaluation of every shape with work
    int steps = std::numeric_limits<int>::max();
    for (Lane& lane : lanes) {
      lane.Fill();
      round += lane.Time();
      steps = std::min(steps, lane.FewestSteps());
    }
    if (steps == std::numeric_limits<int>::max()) return finish;
    now += round * steps;
    for (Lane& lane : lanes) lane.Step(steps, now, finish);
  }
}

}  // namespace genzo
