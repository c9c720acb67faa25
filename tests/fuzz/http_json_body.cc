#include <cstdint>

#include "gateway/a1111.h"
#include "gateway/json_body.h"
#include "gateway/openai_images.h"

// Bodies of the JSON doors, down to the request that they make.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto body =
      genzo::ParseJsonObject({reinterpret_cast<const char*>(data), size});
  if (!body.ok()) return 0;
  const genzo::ModelNames names({});
  (void)genzo::ReadGeneration(*body, names);
  (void)genzo::ReadA1111(genzo::A1111Task::kTextToImage, *body, names);
  (void)genzo::ReadA1111(genzo::A1111Task::kImageToImage, *body, names);
  return 0;
}
