// Any bytes as an index of shards, beside one sound shard: no other file is
// opened, and what is accepted is in it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/sharded_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const folder = new genzo::TestFolder();
  static const std::string shard = folder->Write(
      "1.safetensors", genzo::FloatFile({{"a", {1}}, {"b", {2, 3}}}));
  const std::string index =
      folder->Write("model.safetensors.index.json",
                    std::string(reinterpret_cast<const char*>(data), size));
  const auto tensors = genzo::ShardedTensors::Open(index);
  if (!tensors.ok()) return 0;
  for (const auto& entry : (*tensors)->entries()) {
    if (!(*tensors)->Read(entry.first, {}).ok()) std::abort();
  }
  return 0;
}
