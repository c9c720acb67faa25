#include "worker/device/exception_status.h"

#include <exception>
#include <new>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"

namespace genzo {

absl::Status StatusFromException(const std::string& what) {
  try {
    throw;
  } catch (const c10::OutOfMemoryError&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();
    // Neither the CPU's allocator nor CUDA's libraries have a type for it.
    if (absl::StrContains(message, "DefaultCPUAllocator") ||
        absl::StrContains(message, "CUDA error: out of memory") ||
        absl::StrContains(message, "STATUS_ALLOC_FAILED") ||
        // cuDNN's, when no memory is left to any of its ways.
        absl::StrContains(message, "unable to find an engine")) {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": out of memory"));
    }
    return absl::InternalError(absl::StrCat(what, ": ", message));
  } catch (const std::exception& e) {
    // oneDNN's, when there is no memory for its kernels. (It says "primitive
    // descriptor" of what it does not know.)
    if (std::string_view(e.what()) == "could not create a primitive") {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": out of memory"));
    }
    return absl::InternalError(absl::StrCat(what, ": ", e.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(what, ": unknown exception"));
  }
}

}  // namespace genzo
