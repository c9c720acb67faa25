#ifndef GENZO_CLIENT_UPSCALE_COMMAND_H_
#define GENZO_CLIENT_UPSCALE_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// `genzo upscale`: makes pictures larger, or lists with what. Ctrl-C ends the
// program, and with it the job.
class UpscaleCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives.
  UpscaleCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run() const;

 private:
  ExitStatus List() const;
  ExitStatus Upscale(const std::string& path) const;

  CLI::App* const command_;
  const std::string& server_;
  std::vector<std::string> paths_;
  std::string upscaler_;
  std::optional<double> factor_;
  std::vector<uint32_t> size_;
  std::string format_;
  std::optional<uint32_t> quality_;
  std::string output_folder_ = ".";
  bool list_ = false;
  bool json_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_UPSCALE_COMMAND_H_
