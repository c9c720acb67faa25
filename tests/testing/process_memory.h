#ifndef GENZO_TESTS_TESTING_PROCESS_MEMORY_H_
#define GENZO_TESTS_TESTING_PROCESS_MEMORY_H_

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace genzo {

// In bytes, of this process.
struct ProcessMemory {
  int64_t mapped = 0;  // addresses
  int64_t resident = 0;

  static ProcessMemory Now() {
    ProcessMemory memory;  // in pages
    std::ifstream("/proc/self/statm") >> memory.mapped >> memory.resident;
    const int64_t page = sysconf(_SC_PAGESIZE);
    return {.mapped = memory.mapped * page, .resident = memory.resident * page};
  }
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_PROCESS_MEMORY_H_
