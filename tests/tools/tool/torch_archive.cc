#include "tests/tools/tool/torch_archive.h"

#include <zip.h>

namespace genzo {
namespace {

std::string Little(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

}  // namespace

PickleBuilder& PickleBuilder::Text(const std::string& text) {
  return Raw("X" + Little(static_cast<uint32_t>(text.size())) + text);
}

PickleBuilder& PickleBuilder::Int(int32_t value) {
  return Raw("J" + Little(static_cast<uint32_t>(value)));
}

PickleBuilder& PickleBuilder::Tuple(const std::vector<int32_t>& values) {
  Raw("(");
  for (const int32_t value : values) Int(value);
  return Raw("t");
}

PickleBuilder& PickleBuilder::Global(const std::string& module,
                                     const std::string& name) {
  return Raw("c" + module + "\n" + name + "\n");
}

PickleBuilder& PickleBuilder::Tensor(const std::string& key, int32_t elements,
                                     int32_t offset,
                                     const std::vector<int32_t>& shape,
                                     const std::vector<int32_t>& strides) {
  Global("torch._utils", "_rebuild_tensor_v2").Raw("((").Text("storage");
  Global("torch", "FloatStorage").Text(key).Text("cpu").Int(elements);
  Raw("tQ").Int(offset).Tuple(shape).Tuple(strides);
  return Raw("\x89").Global("collections", "OrderedDict").Raw(")RtR");
}

std::string PickleBuilder::Dict(const std::string& name,
                                const PickleBuilder& value) {
  PickleBuilder all;
  all.Raw("\x80\x02}").Text(name).Raw(value.bytes()).Raw("s.");
  return all.bytes();
}

void WriteArchive(const std::string& path,
                  const std::map<std::string, std::string>& entries) {
  int error = 0;
  zip_t* const zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const auto& [name, bytes] : entries) {
    zip_source_t* const source =
        zip_source_buffer(zip, bytes.data(), bytes.size(), 0);
    const auto index = static_cast<zip_uint64_t>(
        zip_file_add(zip, name.c_str(), source, ZIP_FL_OVERWRITE));
    zip_set_file_compression(zip, index, ZIP_CM_STORE, 0);
  }
  zip_close(zip);
}

std::string FloatBytes(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()),
                     values.size() * sizeof(float));
}

}  // namespace genzo
