#ifndef GENZO_BASE_MODEL_FINGERPRINT_H_
#define GENZO_BASE_MODEL_FINGERPRINT_H_

#include <string>

#include "base/model_files.h"

namespace genzo {

// Tells a model's files from others: names, sizes and times of all files that
// it may be read from, as a hexadecimal digest. Reads no file. The same as long
// as nobody touches them.
std::string ModelFingerprint(const ModelFiles& model);

}  // namespace genzo

#endif  // GENZO_BASE_MODEL_FINGERPRINT_H_
