#ifndef GENZO_BASE_PICTURES_PNG_TRAP_H_
#define GENZO_BASE_PICTURES_PNG_TRAP_H_

#include <png.h>

#include <cstring>
#include <string_view>

#include "base/pictures/error_trap.h"

// What libpng is given to call, in a struct whose error pointer is an
// ErrorTrap.

namespace genzo {

[[noreturn]] inline void SpringPng(png_structp png, png_const_charp message) {
  static_cast<ErrorTrap*>(png_get_error_ptr(png))->Spring(message);
}

// Warnings go nowhere, as of a wrong checksum in a chunk that does not touch
// the pixels: the library would write them to standard error.
inline void IgnorePng(png_structp, png_const_charp) {}

// Reads on in the std::string_view that is the struct's I/O pointer.
inline void TakePng(png_structp png, png_bytep bytes, size_t size) {
  auto& rest = *static_cast<std::string_view*>(png_get_io_ptr(png));
  if (size > rest.size()) png_error(png, "it ends early");
  std::memcpy(bytes, rest.data(), size);
  rest.remove_prefix(size);
}

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PNG_TRAP_H_
