// Any bytes as a safetensors file: what is accepted lies within it.

#include <cstdint>
#include <cstdlib>

#include "worker/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto header = genzo::ParseSafetensorsHeader(
      {reinterpret_cast<const char*>(data), size}, size);
  if (!header.ok()) return 0;
  for (const auto& [name, entry] : header->entries) {
    if (entry.begin_bytes + entry.size_bytes > size) std::abort();
  }
  return 0;
}
