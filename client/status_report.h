#ifndef GENZO_CLIENT_STATUS_REPORT_H_
#define GENZO_CLIENT_STATUS_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace genzo {

// Exit statuses of the genzo program; part of its interface.
enum ExitStatus {
  kExitOk = 0,
  kExitFailed = 1,         // the server failed, or a file cannot be written
  kExitUsage = 2,          // the command line is wrong
  kExitRefused = 3,        // the server calls the request wrong
  kExitUnavailable = 4,    // no server, or it is full; try again later
  kExitDeadline = 5,       // --timeout passed, or would
  kExitWrongAddress = 6,   // what answers there is not that Genzo service
  kExitInterrupted = 130,  // Ctrl-C
};

ExitStatus ExitStatusOf(const grpc::Status& status);

// The error that a Genzo server put into `status`, with its details; OK if none
// spoke: there is no server, or the connection broke.
absl::Status ErrorOf(const grpc::Status& status);

// How long to wait for a model that is loading before asking again; zero for
// any other status.
absl::Duration LoadingTime(const grpc::Status& status);

// One sentence for people, with the options that bad fields are set by and the
// server's retry hint, if it gave one.
std::string Describe(const grpc::Status& status, const std::string& server);

// Says it on standard error. What the program then ends with.
ExitStatus ReportFailure(const grpc::Status& status, const std::string& server);

// The same of a fault that no server told, which it ends with.
ExitStatus Fail(absl::string_view fault, ExitStatus end);

}  // namespace genzo

#endif  // GENZO_CLIENT_STATUS_REPORT_H_
