#ifndef GENZO_SERVER_CONFIG_FILES_H_
#define GENZO_SERVER_CONFIG_FILES_H_

#include <string>
#include <vector>

#include "base/config.h"

namespace genzo {

// What a configuration names and the disk lacks, a sentence each: "scorers[0].
// path /x is not there". A server starts without them, as they may come later;
// but jobs that need them fail. Files that a start reads (keys, certificates)
// are not among them: it says itself what is wrong. Reads the disk.
std::vector<std::string> MissingFiles(const Config& config);

}  // namespace genzo

#endif  // GENZO_SERVER_CONFIG_FILES_H_
