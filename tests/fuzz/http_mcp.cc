#include <cstdint>

#include "gateway/json_body.h"
#include "gateway/mcp_arguments.h"

// Arguments of MCP's tools, down to the requests that they make.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto arguments =
      genzo::ParseJsonObject({reinterpret_cast<const char*>(data), size});
  if (!arguments.ok()) return 0;
  const genzo::ModelNames names({});
  (void)genzo::ReadMcpPaint(*arguments, /*is_edit=*/false, names);
  (void)genzo::ReadMcpPaint(*arguments, /*is_edit=*/true, names);
  (void)genzo::ReadMcpUpscale(*arguments);
  (void)genzo::ReadMcpScore(*arguments, names);
  return 0;
}
