#include "base/proto_time.h"

#include <algorithm>

#include "google/protobuf/util/time_util.h"

namespace genzo {

using google::protobuf::util::TimeUtil;

google::protobuf::Duration ToProto(absl::Duration duration) {
  return TimeUtil::NanosecondsToDuration(
      std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration)));
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  return TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  // Not by way of nanoseconds, of which 64 bits hold 292 years.
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

}  // namespace genzo
