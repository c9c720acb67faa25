#ifndef GENZO_BASE_PROTO_TIME_H_
#define GENZO_BASE_PROTO_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

// Between absl's times and the well-known protos. Pure.

namespace genzo {

// Negative durations become zero.
google::protobuf::Duration ToProto(absl::Duration duration);
google::protobuf::Timestamp ToProto(absl::Time time);

absl::Duration FromProto(const google::protobuf::Duration& duration);
absl::Time FromProto(const google::protobuf::Timestamp& time);

}  // namespace genzo

#endif  // GENZO_BASE_PROTO_TIME_H_
