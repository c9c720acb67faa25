#ifndef GENZO_TESTS_TOOLS_TOOL_TORCH_ARCHIVE_H_
#define GENZO_TESTS_TOOLS_TOOL_TORCH_ARCHIVE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace genzo {

// Builds pickles as torch.save() writes them, and ones that it does not.
class PickleBuilder {
 public:
  // Any instructions.
  PickleBuilder& Raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  PickleBuilder& Text(const std::string& text);
  PickleBuilder& Int(int32_t value);
  PickleBuilder& Tuple(const std::vector<int32_t>& values);
  PickleBuilder& Global(const std::string& module, const std::string& name);
  // A tensor of a float32 storage.
  PickleBuilder& Tensor(const std::string& key, int32_t elements,
                        int32_t offset, const std::vector<int32_t>& shape,
                        const std::vector<int32_t>& strides);
  // {name: what `value` pushes}
  static std::string Dict(const std::string& name, const PickleBuilder& value);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Writes a zip archive of these entries.
void WriteArchive(const std::string& path,
                  const std::map<std::string, std::string>& entries);

// The bytes of float32 values.
std::string FloatBytes(const std::vector<float>& values);

}  // namespace genzo

#endif  // GENZO_TESTS_TOOLS_TOOL_TORCH_ARCHIVE_H_
