#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_DERIVED_CONFIG_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_DERIVED_CONFIG_H_

#include <string>

#include "nlohmann/json.hpp"
#include "worker/weights/single_file/name_rules.h"

namespace genzo {

// The config.json of a component that has none: `published`, that of the
// family's best known model, with what names and shapes show: channels, depths,
// widths, which blocks have attention. `entries` have diffusers' names.
//
// What cannot be seen follows the published models: heads are 64 wide (8 of
// them in SD1), groups of a norm are 32 or the largest power of two below that
// divides all channels.
nlohmann::json DeriveConfig(const std::string& class_name,
                            nlohmann::json published, const Entries& entries);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_DERIVED_CONFIG_H_
