#ifndef GENZO_SERVER_CONFIG_FILES_H_
#define GENZO_SERVER_CONFIG_FILES_H_

#include <string>
#include <vector>

#include "base/config.h"

namespace genzo {

// What a configuration names and the disk lacks, a sentence each: "scorers[0].
// path /x is not there". Files that a start reads (keys, certificates) are not
// among them: it says itself what is wrong. Both read the disk.

// Files without which jobs fail: models, scorers, the safety checker,
// certificates of those who are called.
std::vector<std::string> MissingFiles(const Config& config);

// Folders that are looked into now and then: what is to lie there may come
// later.
std::vector<std::string> MissingFolders(const Config& config);

}  // namespace genzo

#endif  // GENZO_SERVER_CONFIG_FILES_H_
