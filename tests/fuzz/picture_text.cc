#include <cstdint>

#include "base/pictures/picture_metadata.h"

// What a picture's file says, of any of the formats.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)genzo::ReadPictureText({reinterpret_cast<const char*>(data), size});
  return 0;
}
