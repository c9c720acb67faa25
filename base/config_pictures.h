#ifndef GENZO_BASE_CONFIG_PICTURES_H_
#define GENZO_BASE_CONFIG_PICTURES_H_

#include <string>

#include "base/config.h"
#include "base/map_reader.h"

namespace genzo {

// The part of a configuration that says how finished pictures are judged,
// marked and kept. Faults go into the reader's status.

void ReadPictures(MapReader& root, const std::string& base_folder,
                  absl::Status& status, Config& config);

}  // namespace genzo

#endif  // GENZO_BASE_CONFIG_PICTURES_H_
