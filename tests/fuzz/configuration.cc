#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/api_keys.h"
#include "base/config.h"

// YAML of a server and of a door, and a file of keys. A configuration that is
// taken has a model or a folder of models.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = genzo::ParseConfig(text, "/etc/genzo");
  if (config.ok() && config->models.empty() && config->models_folder.empty()) {
    std::abort();
  }
  if (config.ok()) (void)genzo::CheckReach(*config);
  (void)genzo::ParseGatewayConfig(text, "/etc/genzo");
  const auto keys = genzo::ParseKeys(text);
  if (keys.ok() && !genzo::ParseKeys(genzo::FormatKeys(*keys)).ok()) {
    std::abort();
  }
  return 0;
}
