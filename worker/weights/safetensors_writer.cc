#include "worker/weights/safetensors_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace genzo {
namespace {

using nlohmann::json;

const char* NameOf(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "F64";
    case at::kFloat:
      return "F32";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kFloat8_e4m3fn:
      return "F8_E4M3";
    case at::kFloat8_e5m2:
      return "F8_E5M2";
    case at::kLong:
      return "I64";
    case at::kInt:
      return "I32";
    case at::kShort:
      return "I16";
    case at::kChar:
      return "I8";
    case at::kByte:
      return "U8";
    case at::kBool:
      return "BOOL";
    default:
      return nullptr;
  }
}

at::ScalarType WrittenType(const std::string& name, const TensorEntry& entry,
                           const WriteOptions& options) {
  const bool stays = !c10::isFloatingType(entry.dtype) ||
                     (options.keeps_type && options.keeps_type(name));
  return stays ? entry.dtype : options.dtype.value_or(entry.dtype);
}

size_t WrittenSize(const std::string& name, const TensorEntry& entry,
                   const WriteOptions& options) {
  return static_cast<size_t>(entry.elements()) *
         c10::elementSize(WrittenType(name, entry, options));
}

// Wide types first, so that every tensor lies at a multiple of its elements'
// size.
std::vector<std::string> InOrder(const TensorSource& source,
                                 const WriteOptions& options) {
  std::vector<std::string> names;
  for (const auto& entry : source.entries()) names.push_back(entry.first);
  std::stable_sort(names.begin(), names.end(),
                   [&](const std::string& a, const std::string& b) {
                     const auto width = [&](const std::string& name) {
                       return c10::elementSize(WrittenType(
                           name, source.entries().at(name), options));
                     };
                     return width(a) > width(b);
                   });
  return names;
}

std::string Header(const TensorSource& source, const WriteOptions& options,
                   const std::vector<std::string>& names) {
  json header = json::object();
  if (!options.metadata.empty()) header["__metadata__"] = options.metadata;
  size_t begin = 0;
  for (const std::string& name : names) {
    const TensorEntry& entry = source.entries().at(name);
    const size_t size = WrittenSize(name, entry, options);
    header[name] = {{"dtype", NameOf(WrittenType(name, entry, options))},
                    {"shape", entry.shape},
                    {"data_offsets", {begin, begin + size}}};
    begin += size;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) {
    length[i] = static_cast<char>(text.size() >> (8 * i));
  }
  return length + text;
}

}  // namespace

int64_t WrittenBytes(const TensorSource& source, const WriteOptions& options) {
  int64_t bytes = 0;
  for (const auto& [name, entry] : source.entries()) {
    bytes += static_cast<int64_t>(WrittenSize(name, entry, options));
  }
  return bytes;
}

absl::Status WriteSafetensors(const std::string& path,
                              const TensorSource& source,
                              const WriteOptions& options) {
  const std::string part = path + ".part";
  const auto unwritable = [&] {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be written: ", std::strerror(errno)));
  };
  std::ofstream file(part, std::ios::binary);
  const std::vector<std::string> names = InOrder(source, options);
  file << Header(source, options, names);
  for (const std::string& name : names) {
    const TensorEntry& entry = source.entries().at(name);
    const auto tensor =
        source.Read(name, {.dtype = WrittenType(name, entry, options)});
    if (!tensor.ok()) {
      std::remove(part.c_str());
      return tensor.status();
    }
    file.write(static_cast<const char*>(tensor->const_data_ptr()),
               static_cast<std::streamsize>(tensor->nbytes()));
    if (!file) break;
    if (options.progress) {
      options.progress(static_cast<int64_t>(tensor->nbytes()));
    }
  }
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(part, path, error);
  if (file && !error) return absl::OkStatus();
  const absl::Status failed = unwritable();
  std::remove(part.c_str());
  return failed;
}

}  // namespace genzo
