#ifndef GENZO_CLIENT_STATUS_REPORT_H_
#define GENZO_CLIENT_STATUS_REPORT_H_

#include <string>

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
  kExitInterrupted = 130,  // Ctrl-C
};

ExitStatus ExitStatusOf(const grpc::Status& status);

// One sentence for people, with the server's retry hint if it gave one.
std::string Describe(const grpc::Status& status, const std::string& server);

// Says it on standard error. What the program then ends with.
ExitStatus ReportFailure(const grpc::Status& status, const std::string& server);

}  // namespace genzo

#endif  // GENZO_CLIENT_STATUS_REPORT_H_
