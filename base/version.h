#ifndef GENZO_BASE_VERSION_H_
#define GENZO_BASE_VERSION_H_

namespace genzo {

// The project's version, "0.1.0".
const char* Version();

}  // namespace genzo

#endif  // GENZO_BASE_VERSION_H_
