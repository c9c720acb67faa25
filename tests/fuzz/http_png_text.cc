#include <cstdint>

#include "gateway/png_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)genzo::ReadPngTexts({reinterpret_cast<const char*>(data), size});
  return 0;
}
