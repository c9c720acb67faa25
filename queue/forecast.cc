#include "queue/forecast.h"

#include <algorithm>

namespace genzo {
namespace {

// Less than this of a step left over by rounding is none.
constexpr double kNoSteps = 1e-6;
// So is what takes less than this: durations are rounded, and nothing can be
// spent on it.
constexpr absl::Duration kNoTime = absl::Nanoseconds(1);

// The items of one shape, and what they get of the device's time.
class ShapeShare {
 public:
  explicit ShapeShare(const ForecastShape& shape) : shape_(shape) {}

  void Add(size_t index, const ForecastItem& item) {
    members_.push_back({index, item, static_cast<double>(item.steps_left)});
  }

  // Whether an item has come by `now` that yields to nobody.
  bool HasClaim(absl::Duration now) const {
    return std::any_of(members_.begin(), members_.end(),
                       [now](const Member& member) {
                         return !member.item.yields && member.item.joins <= now;
                       });
  }

  // Chooses who shares the evaluations from `now` on. `claimed`: some shape has
  // a claim.
  void Fill(absl::Duration now, bool claimed) {
    batch_.clear();
    rows_ = 0;
    loads_ = 0;
    int most_rows = shape_.row_cap;
    if (claimed) {
      Join(now, most_rows, /*yielding=*/false);
      most_rows = rows_ == 0 ? 0 : RowsBesideClaims();
    }
    Join(now, most_rows, /*yielding=*/true);
    time_ = rows_ == 0 ? absl::ZeroDuration()
                       : shape_.costs.At(rows_) * (loads_ / rows_);
    absl::Duration charge;
    for (const Member* member : batch_) {
      charge += shape_.costs.At(member->item.rows) * member->item.load;
    }
    const bool takes_time =
        time_ > absl::ZeroDuration() && charge > absl::ZeroDuration();
    share_ =
        takes_time ? absl::FDivDuration(time_, charge) : (rows_ == 0 ? 0 : 1);
  }

  // Of the device's time, against other shapes: what is charged less for its
  // time gets more of it.
  double share() const { return share_; }

  bool active() const { return !batch_.empty(); }

  // Of the evaluations until the first item is done.
  absl::Duration TimeToFirst() const {
    double fewest = batch_[0]->steps_left;
    for (const Member* member : batch_) {
      fewest = std::min(fewest, member->steps_left);
    }
    return time_ * fewest;
  }

  absl::Duration FirstJoinAfter(absl::Duration now) const {
    absl::Duration first = absl::InfiniteDuration();
    for (const Member& member : members_) {
      if (member.item.joins > now) first = std::min(first, member.item.joins);
    }
    return first;
  }

  // Spends `spent` on evaluations, until `now`. Returns how many that are not
  // merely expected are done.
  size_t Advance(absl::Duration spent, absl::Duration now,
                 std::vector<absl::Duration>& finish) {
    const double steps = time_ > absl::ZeroDuration()
                             ? absl::FDivDuration(spent, time_)
                             : batch_[0]->steps_left;
    for (Member* member : batch_) {
      member->steps_left -= steps;
      if (time_ * member->steps_left < kNoTime) member->steps_left = 0;
    }
    size_t done = 0;
    const auto is_done = [&](const Member& member) {
      if (member.steps_left > kNoSteps) return false;
      finish[member.index] = now;
      done += member.item.expected ? 0 : 1;
      return true;
    };
    members_.erase(std::remove_if(members_.begin(), members_.end(), is_done),
                   members_.end());
    return done;
  }

 private:
  struct Member {
    size_t index;
    ForecastItem item;
    double steps_left;
  };

  // Takes in order those who yield, or those who do not, while they fit.
  void Join(absl::Duration now, int most_rows, bool yielding) {
    for (Member& member : members_) {
      if (rows_ >= most_rows) break;
      const ForecastItem& item = member.item;
      if (item.yields != yielding || item.joins > now) continue;
      const int with = rows_ + item.rows;
      if (rows_ > 0 && with > most_rows) continue;
      rows_ = with;
      loads_ += item.rows * item.load;
      batch_.push_back(&member);
    }
  }

  int RowsBesideClaims() const {
    const absl::Duration most = kDebtorSlowdown * shape_.costs.At(rows_);
    int rows = rows_;
    while (rows < shape_.row_cap && shape_.costs.At(rows + 1) <= most) ++rows;
    return rows;
  }

  const ForecastShape& shape_;
  std::vector<Member> members_;  // in order of service
  std::vector<Member*> batch_;   // since Fill()
  int rows_ = 0;                 // of these
  double loads_ = 0;             // of all their rows
  absl::Duration time_;          // of one evaluation of that
  double share_ = 0;
};

}  // namespace

std::vector<absl::Duration> Forecast(absl::Span<const ForecastItem> items,
                                     absl::Span<const ForecastShape> shapes) {
  std::vector<ShapeShare> shares(shapes.begin(), shapes.end());
  std::vector<absl::Duration> finish(items.size(), absl::InfiniteDuration());
  size_t waited_for = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].steps_left == 0) {
      finish[i] = items[i].joins;
      continue;
    }
    shares[items[i].shape].Add(i, items[i]);
    waited_for += items[i].expected ? 0 : 1;
  }
  absl::Duration now;
  while (waited_for > 0) {
    absl::Duration next = absl::InfiniteDuration();
    double total = 0;
    const bool claimed =
        std::any_of(shares.begin(), shares.end(),
                    [now](const auto& shape) { return shape.HasClaim(now); });
    for (ShapeShare& shape : shares) {
      shape.Fill(now, claimed);
      total += shape.share();
      next = std::min(next, shape.FirstJoinAfter(now) - now);
    }
    for (const ShapeShare& shape : shares) {
      if (!shape.active()) continue;
      next = std::min(next, shape.TimeToFirst() * (total / shape.share()));
    }
    now += next;
    for (ShapeShare& shape : shares) {
      if (!shape.active()) continue;
      waited_for -= shape.Advance(next * (shape.share() / total), now, finish);
    }
  }
  return finish;
}

}  // namespace genzo
