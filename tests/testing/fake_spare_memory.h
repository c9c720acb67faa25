#ifndef GENZO_TESTS_TESTING_FAKE_SPARE_MEMORY_H_
#define GENZO_TESTS_TESTING_FAKE_SPARE_MEMORY_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/residency/spare_memory.h"

namespace genzo {

// So many bytes for what stands beside models, of which there are none.
// Thread-safe; outlives who uses it.
class FakeSpareMemory {
 public:
  explicit FakeSpareMemory(int64_t bytes) : all_(bytes), left_(bytes) {}

  SpareMemory memory() {
    return {.reserve =
                [this](int64_t bytes) {
                  return Take(bytes) ? absl::OkStatus()
                                     : absl::ResourceExhaustedError("full");
                },
            .try_reserve =
                [this](int64_t bytes, const std::string&) {
                  return Take(bytes) ? absl::OkStatus()
                                     : absl::UnavailableError("full");
                },
            .release =
                [this](int64_t bytes) {
                  absl::MutexLock lock(&mutex_);
                  left_ += bytes;
                },
            .most = [this](const std::string&) { return all_; },
            .next_use =
                [this] {
                  absl::MutexLock lock(&mutex_);
                  return ++uses_;
                }};
  }

  // Whose idle ones may leave for others.
  void Serve(BesideModels* tenant) { tenant_ = tenant; }

  int64_t left() const {
    absl::MutexLock lock(&mutex_);
    return left_;
  }

 private:
  bool Take(int64_t bytes) {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (bytes <= left_) {
          left_ -= bytes;
          return true;
        }
      }
      const auto idle =
          tenant_ == nullptr ? std::vector<IdleBeside>() : tenant_->Idle();
      if (idle.empty()) return false;
      const auto oldest = std::min_element(idle.begin(), idle.end(),
                                           [](const auto& a, const auto& b) {
                                             return a.last_used < b.last_used;
                                           });
      tenant_->Drop({oldest->last_used});
    }
  }

  const int64_t all_;
  BesideModels* tenant_ = nullptr;
  mutable absl::Mutex mutex_;
  int64_t left_ ABSL_GUARDED_BY(mutex_);
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_FAKE_SPARE_MEMORY_H_
