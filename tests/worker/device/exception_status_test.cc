#include "worker/device/exception_status.h"

#include <new>
#include <stdexcept>

#include "ATen/ops/empty.h"
#include "c10/util/Exception.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename Throw>
absl::Status StatusOf(const Throw& what) {
  try {
    what();
  } catch (...) {
    return StatusFromException("loading a");
  }
  return absl::OkStatus();
}

TEST(ExceptionStatusTest, OutOfMemoryIsResourceExhausted) {
  EXPECT_THAT(StatusOf([] { throw std::bad_alloc(); }),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "loading a: out of memory"));
  EXPECT_THAT(StatusOf([] { at::empty({int64_t{1} << 58}); }),
              StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
}

TEST(ExceptionStatusTest, CudasOutOfMemoryIsKnownByItsWords) {
  EXPECT_THAT(StatusOf([] { TORCH_CHECK(false, "CUDA error: out of memory"); }),
              StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
}

TEST(ExceptionStatusTest, OneDnnsOutOfMemoryIsKnownByItsWords) {
  const char* const words = "could not create a primitive";
  EXPECT_THAT(StatusOf([&] { throw std::runtime_error(words); }),
              StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
  EXPECT_THAT(StatusOf([&] {
                throw std::runtime_error(words + std::string(" descriptor"));
              }),
              StatusIs(absl::StatusCode::kInternal, "descriptor"));
}

TEST(ExceptionStatusTest, LibTorchsWordsComeWithoutItsStackTrace) {
  const absl::Status status =
      StatusOf([] { TORCH_CHECK(false, "sizes do not match"); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal,
                               "loading a: sizes do not match"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("frame #")));
}

TEST(ExceptionStatusTest, OthersAreInternal) {
  EXPECT_THAT(StatusOf([] { throw std::runtime_error("odd"); }),
              StatusIs(absl::StatusCode::kInternal, "loading a: odd"));
  EXPECT_THAT(StatusOf([] { throw 42; }),
              StatusIs(absl::StatusCode::kInternal, "unknown exception"));
}

}  // namespace
}  // namespace genzo
