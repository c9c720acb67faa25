#ifndef GENZO_BASE_PROCESSOR_H_
#define GENZO_BASE_PROCESSOR_H_

#include <string>

namespace genzo {

// The processor's name as /proc/cpuinfo has it, "AMD EPYC ..."; "unknown" where
// it does not tell.
std::string ProcessorName();

}  // namespace genzo

#endif  // GENZO_BASE_PROCESSOR_H_
