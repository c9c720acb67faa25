#ifndef GENZO_TESTS_TESTING_FULL_DISK_H_
#define GENZO_TESTS_TESTING_FULL_DISK_H_

#include <sys/resource.h>

#include <csignal>

namespace genzo {

// A full disk, as the limit on the size of this process's files makes one: none
// grows beyond `bytes` while this is there.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes = 0) {
    getrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit little = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &little);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_ = {};
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_FULL_DISK_H_
