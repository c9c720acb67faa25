#ifndef GENZO_CLIENT_TOP_COMMAND_H_
#define GENZO_CLIENT_TOP_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/metrics_text.h"
#include "client/server_figures.h"
#include "client/status_report.h"

namespace genzo {

// `genzo top`: what a server is doing right now, from its /metrics page.
class TopCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives.
  explicit TopCommand(CLI::App& app);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run() const;

 private:
  absl::StatusOr<MetricsSample> Read(const MetricsReader& reader) const;
  ExitStatus ShowOnce(const MetricsReader& reader) const;
  ExitStatus ShowLive(const MetricsReader& reader) const;

  CLI::App* const command_;
  std::string admin_ = "127.0.0.1:9464";
  double interval_seconds_ = 1;
  int count_ = 0;
  bool json_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_TOP_COMMAND_H_
