#include <cstdint>

#include "gateway/proto_json.h"
#include "genzo/v1/jobs.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  genzo::v1::CreateJobRequest request;
  const auto status =
      genzo::FromJson({reinterpret_cast<const char*>(data), size}, request);
  if (status.ok()) genzo::ToJson(request);
  return 0;
}
