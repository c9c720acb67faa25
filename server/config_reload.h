#ifndef GENZO_SERVER_CONFIG_RELOAD_H_
#define GENZO_SERVER_CONFIG_RELOAD_H_

#include <set>
#include <string>
#include <vector>

#include "base/config.h"

namespace genzo {

// What a running server takes over of a changed configuration: the log level;
// models that are new or have other files, and that some are gone, but for the
// default one: jobs that wait for one end with MODEL_NOT_FOUND; and the limits
// of requests, which may become stricter but, as models and message sizes are
// set up with them, not looser than they were at the start. (Files of keys and
// certificates are watched anyway.)
struct ReloadPlan {
  std::string log_level;
  RequestLimits limits;
  std::vector<ModelConfig> models;       // to be added
  std::vector<std::string> gone;         // ids of models, to be removed
  std::vector<std::string> not_applied;  // keys that were changed; need a start
};

// From a server that was started with `started`, with the models that it has
// taken over since, to `wanted`. Models of `broken`, by id, are tried again:
// the files may be mended. Pure.
ReloadPlan PlanReload(const Config& started, const Config& wanted,
                      const std::set<std::string>& broken);

}  // namespace genzo

#endif  // GENZO_SERVER_CONFIG_RELOAD_H_
