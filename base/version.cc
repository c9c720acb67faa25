#include "base/version.h"

namespace genzo {

const char* Version() { return GENZO_VERSION; }

}  // namespace genzo
