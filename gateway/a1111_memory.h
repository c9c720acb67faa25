#ifndef GENZO_GATEWAY_A1111_MEMORY_H_
#define GENZO_GATEWAY_A1111_MEMORY_H_

#include "nlohmann/json.hpp"

namespace genzo {

// The answer of GET memory: bytes that this process has of its machine's
// memory. Of a GPU's a door knows nothing, and says so where A1111 says that it
// has none. Thread-safe.
nlohmann::json A1111Memory();

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_MEMORY_H_
