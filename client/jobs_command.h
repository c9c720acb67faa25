#ifndef GENZO_CLIENT_JOBS_COMMAND_H_
#define GENZO_CLIENT_JOBS_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/picture_sink.h"
#include "client/reconnection.h"
#include "client/status_report.h"
#include "genzo/v1/jobs.pb.h"

namespace genzo {

// `genzo jobs`, `genzo watch` and `genzo cancel`: jobs that outlive the call
// that made them.
class JobsCommand {
 public:
  // Adds the subcommands to `app`, which this object outlives. `server` is the
  // global option's value when Run() is called, `first_rest` how long a broken
  // connection is left alone.
  JobsCommand(CLI::App& app, const std::string& server,
              absl::Duration first_rest = kFirstRest);

  bool parsed() const {
    return list_->parsed() || watch_->parsed() || cancel_->parsed();
  }
  ExitStatus Run() const;

 private:
  void Print(const v1::Job& job) const;
  ExitStatus List() const;
  // Writes the job's pictures and shows the rest, as `genzo generate` does;
  // Ctrl-C leaves, and the job goes on. A connection that breaks is made again
  // for as long as it takes: a server that keeps jobs on disk has the job when
  // it is back.
  ExitStatus Watch() const;
  // `is_again`: the call that ended so was not the first.
  ExitStatus EndOfWatch(const grpc::Status& status, bool is_again,
                        const v1::Ended& ended, PictureSink& sink) const;
  ExitStatus Cancel() const;

  CLI::App* const list_;
  CLI::App* const watch_;
  CLI::App* const cancel_;
  const std::string& server_;
  const absl::Duration first_rest_;
  std::string id_;
  std::vector<std::string> states_;
  uint64_t after_ = 0;
  std::string output_folder_ = ".";
  bool json_ = false;
  bool no_art_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_JOBS_COMMAND_H_
