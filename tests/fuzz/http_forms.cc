#include <cstdint>

#include "gateway/openai_images.h"

// Forms of edits and variations, down to the request that they make. The
// boundary is "b".
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view body(reinterpret_cast<const char*>(data), size);
  const genzo::ModelNames names({});
  for (const auto kind :
       {genzo::FormKind::kEdit, genzo::FormKind::kVariation}) {
    (void)genzo::ReadForm(kind, body, "multipart/form-data; boundary=b", names);
  }
  return 0;
}
