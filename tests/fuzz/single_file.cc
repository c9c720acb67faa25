// Any names and shapes as a single file: its family is told or refused.

#include "worker/weights/single_file/single_file.h"

#include <cstdint>
#include <memory>
#include <string>

#include "worker/weights/safetensors.h"
#include "worker/weights/scaled_tensors.h"

namespace genzo {
namespace {

// Names and shapes without values.
class Names : public TensorSource {
 public:
  explicit Names(SafetensorsHeader header) : header_(std::move(header)) {}
  const std::map<std::string, TensorEntry>& entries() const override {
    return header_.entries;
  }
  const std::map<std::string, std::string>& metadata() const override {
    return header_.metadata;
  }
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions&) const override {
    return Missing(name);
  }
  const std::string& path() const override { return path_; }

 private:
  const SafetensorsHeader header_;
  const std::string path_ = "names";
};

}  // namespace
}  // namespace genzo

// Lines of "NAME SIZE SIZE ...", which mutate better than a header does.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  genzo::SafetensorsHeader header;
  std::string name;
  std::vector<int64_t> shape;
  int64_t elements = 1;
  const auto end_line = [&] {
    if (!name.empty()) {
      header.entries[name] = {.dtype = at::kHalf,
                              .shape = shape,
                              .begin_bytes = 0,
                              .size_bytes = static_cast<size_t>(2 * elements)};
    }
    name.clear();
    shape.clear();
    elements = 1;
  };
  bool in_name = true;
  for (size_t i = 0; i < size; ++i) {
    const char c = static_cast<char>(data[i]);
    if (c == '\n') {
      end_line();
      in_name = true;
    } else if (c == ' ') {
      in_name = false;
      if (shape.size() < 8) shape.push_back(0);
    } else if (in_name) {
      name += c;
    } else if (c >= '0' && c <= '9' && shape.back() < 10000) {
      shape.back() = 10 * shape.back() + (c - '0');
    }
    if (c == ' ' || c == '\n') continue;
    elements = 1;
    for (const int64_t dimension : shape) {
      if (elements < (int64_t{1} << 40)) elements *= dimension;
    }
  }
  end_line();
  std::shared_ptr<const genzo::TensorSource> source =
      std::make_shared<genzo::Names>(std::move(header));
  if (genzo::HasScales(*source)) {
    auto scaled = genzo::ScaledTensors::Create(source);
    if (!scaled.ok()) return 0;
    source = *scaled;
  }
  const auto file = genzo::ReadSingleFile(source);
  static_cast<void>(file);
  return 0;
}
