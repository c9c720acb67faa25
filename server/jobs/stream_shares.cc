#include "server/jobs/stream_shares.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/errors.h"

namespace genzo {
namespace {

constexpr char kTooManyStreams[] = "TOO_MANY_STREAMS";
constexpr absl::Duration kStreamRetry = absl::Seconds(5);
// One part of so many.
constexpr int kStreamsForTheModest = 8;

}  // namespace

absl::Status StreamShares::CheckOneMore(const std::string& tenant) const {
  const int last = most_ / kStreamsForTheModest;
  if (all_ < most_ - last) return absl::OkStatus();
  const int64_t own = of_tenants_.Of(tenant);
  const auto tenants =
      static_cast<int64_t>(of_tenants_.Count()) + (own == 0 ? 1 : 0);
  const bool modest = own * tenants < all_;  // less than an even share
  if (modest && all_ < most_) return absl::OkStatus();
  metrics_.CountShed(kTooManyStreams);
  return RetryLaterError(
      kTooManyStreams,
      absl::StrCat("the server has ", all_, " streams, ", own,
                   " of them the caller's; its limit is ", most_, ", the last ",
                   last, " for tenants that have less than an even share"),
      kStreamRetry, {}, absl::StatusCode::kResourceExhausted);
}

void StreamShares::Change(const std::string& tenant, int by) {
  all_ += by;
  of_tenants_.Add(tenant, by);
  metrics_.streams().Set(all_);
}

}  // namespace genzo
