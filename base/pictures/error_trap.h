#ifndef GENZO_BASE_PICTURES_ERROR_TRAP_H_
#define GENZO_BASE_PICTURES_ERROR_TRAP_H_

#include <csetjmp>
#include <cstddef>
#include <cstdio>

namespace genzo {

// The way out of a C library whose error handler must not return: libjpeg and
// libpng. An exception may not cross their frames; a jump may, as long as it
// skips no destructor.
//
//   const bool done = trap.Run([&] { png_write_info(png, info); });
//   if (!done) return absl::InternalError(trap.message());
//
// with a handler that calls `Spring`. One thread at a time.
class ErrorTrap {
 public:
  static constexpr size_t kMaxMessageBytes = 256;

  // False if `Spring` was called while `body` ran. Nothing that has a
  // destructor may begin its life in `body`.
  template <typename Body>
  bool Run(Body body) {
    if (setjmp(place_) != 0) return false;
    body();
    return true;
  }

  // Leaves the innermost `Run`; only while one is on the stack.
  [[noreturn]] void Spring(const char* message) {
    std::snprintf(message_, sizeof(message_), "%s", message);
    std::longjmp(place_, 1);
  }

  // Of the last Spring; empty if there was none.
  const char* message() const { return message_; }

 private:
  std::jmp_buf place_;
  char message_[kMaxMessageBytes] = "";
};

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_ERROR_TRAP_H_
