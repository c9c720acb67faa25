#ifndef GENZO_BASE_CONFIG_MODELS_H_
#define GENZO_BASE_CONFIG_MODELS_H_

#include <string>

#include "base/config.h"
#include "base/map_reader.h"

namespace genzo {

// The parts of a configuration that say what paints on what. Faults go into the
// reader's status.

void ReadModels(MapReader& root, const std::string& base_folder,
                absl::Status& status, Config& config);
void ReadDevices(MapReader& root, Config& config);

}  // namespace genzo

#endif  // GENZO_BASE_CONFIG_MODELS_H_
