#include "worker/weights/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "ATen/ops/empty.h"
#include "ATen/ops/from_blob.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace genzo {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 16 << 20;
constexpr size_t kMaxTensors = 65536;
constexpr size_t kMaxRank = 8;

absl::Status Invalid(const std::string& message) {
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<at::ScalarType> ParseDtype(const std::string& name) {
  static const std::map<std::string, at::ScalarType> kDtypes = {
      {"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
      {"BF16", at::kBFloat16}, {"I64", at::kLong},  {"I32", at::kInt},
      {"I16", at::kShort},     {"I8", at::kChar},   {"U8", at::kByte},
      {"BOOL", at::kBool}};
  const auto found = kDtypes.find(name);
  if (found == kDtypes.end()) {
    return Invalid(absl::StrCat("dtype \"", name, "\" is not known"));
  }
  return found->second;
}

bool IsUnsignedList(const json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(),
                     [](const json& e) { return e.is_number_unsigned(); });
}

// Size of a tensor in bytes, or nullopt if it does not fit 63 bits.
std::optional<size_t> CheckedBytes(const std::vector<int64_t>& shape,
                                   at::ScalarType dtype) {
  size_t bytes = c10::elementSize(dtype);
  for (int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) {
      return std::nullopt;
    }
  }
  if (bytes > static_cast<size_t>(INT64_MAX)) return std::nullopt;
  return bytes;
}

absl::StatusOr<TensorEntry> ParseEntry(const json& value, size_t data_bytes) {
  if (!value.is_object() || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets") ||
      !value["dtype"].is_string() || !IsUnsignedList(value["shape"]) ||
      !IsUnsignedList(value["data_offsets"]) ||
      value["data_offsets"].size() != 2) {
    return Invalid("is not {dtype, shape, data_offsets: [begin, end]}");
  }
  const auto dtype = ParseDtype(value["dtype"]);
  if (!dtype.ok()) return dtype.status();
  if (value["shape"].size() > kMaxRank) {
    return Invalid(absl::StrCat("has ", value["shape"].size(),
                                " dimensions, the limit is ", kMaxRank));
  }
  TensorEntry entry{*dtype, value["shape"].get<std::vector<int64_t>>(), 0, 0};
  const uint64_t begin = value["data_offsets"][0];
  const uint64_t end = value["data_offsets"][1];
  if (begin > end || end > data_bytes) {
    return Invalid(absl::StrCat("has offsets ", begin, " to ", end,
                                ", the data has ", data_bytes, " bytes"));
  }
  entry.begin_bytes = begin;
  entry.size_bytes = end - begin;
  const auto expected = CheckedBytes(entry.shape, *dtype);
  if (!expected.has_value() || *expected != entry.size_bytes) {
    return Invalid(absl::StrCat(
        "has ", entry.size_bytes, " bytes, its shape and dtype need ",
        expected.has_value() ? absl::StrCat(*expected) : "more than 2^63"));
  }
  return entry;
}

absl::Status CheckCoverage(const std::map<std::string, TensorEntry>& entries,
                           size_t data_bytes) {
  std::vector<std::pair<const TensorEntry*, const std::string*>> order;
  order.reserve(entries.size());
  for (const auto& [name, entry] : entries) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin_bytes, a.first->size_bytes) <
           std::pair(b.first->begin_bytes, b.first->size_bytes);
  });
  size_t end = 0;
  for (const auto& [entry, name] : order) {
    if (entry->begin_bytes != end) {
      return Invalid(absl::StrCat(
          "tensor \"", *name, "\" begins at ", entry->begin_bytes,
          entry->begin_bytes < end ? ", inside" : ", after a hole behind",
          " the tensor that ends at ", end));
    }
    end += entry->size_bytes;
  }
  if (end != data_bytes) {
    return Invalid(absl::StrCat("tensors end at ", end, ", the data has ",
                                data_bytes, " bytes"));
  }
  return absl::OkStatus();
}

// Parses the header's JSON; duplicate keys are an error.
absl::StatusOr<json> ParseObject(std::string_view text) {
  std::set<std::string> keys;
  std::string duplicate;
  const auto callback = [&](int depth, json::parse_event_t event,
                            json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 &&
        !keys.insert(parsed.get<std::string>()).second) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  json object = json::parse(text.begin(), text.end(), callback,
                            /*allow_exceptions=*/false);
  if (!duplicate.empty()) {
    return Invalid(absl::StrCat("tensor \"", duplicate, "\" occurs twice"));
  }
  if (!object.is_object()) return Invalid("the header is not a JSON object");
  return object;
}

absl::Status AtPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

// Length of the header, without the 8 bytes that hold it.
absl::StatusOr<size_t> HeaderBytes(std::string_view head, size_t file_bytes) {
  if (head.size() < kLengthBytes) {
    return Invalid(absl::StrCat("has ", file_bytes,
                                " bytes, too few for a safetensors header"));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(static_cast<unsigned char>(head[i]))
              << (8 * i);
  }
  if (length > kMaxHeaderBytes || length > file_bytes - kLengthBytes) {
    return Invalid(absl::StrCat(
        "names a header of ", length, " bytes; the file has ",
        file_bytes - kLengthBytes, " left, the limit is ", kMaxHeaderBytes));
  }
  return length;
}

}  // namespace

absl::StatusOr<std::map<std::string, TensorEntry>> ParseSafetensorsHeader(
    std::string_view head, size_t file_bytes) {
  const auto length = HeaderBytes(head, file_bytes);
  if (!length.ok()) return length.status();
  if (head.size() < kLengthBytes + *length) {
    return Invalid("the header is cut off");
  }
  const std::string_view text = head.substr(kLengthBytes, *length);
  if (text.empty() || text[0] != '{') {
    return Invalid("the header does not begin with {");
  }
  const auto object = ParseObject(text);
  if (!object.ok()) return object.status();
  if (object->size() > kMaxTensors) {
    return Invalid(absl::StrCat("has ", object->size(),
                                " tensors, the limit is ", kMaxTensors));
  }
  const size_t data_bytes = file_bytes - kLengthBytes - *length;
  std::map<std::string, TensorEntry> entries;
  for (const auto& [name, value] : object->items()) {
    if (name == "__metadata__") continue;
    auto entry = ParseEntry(value, data_bytes);
    if (!entry.ok()) {
      return Invalid(
          absl::StrCat("tensor \"", name, "\" ", entry.status().message()));
    }
    entries.emplace(name, *std::move(entry));
  }
  const absl::Status covered = CheckCoverage(entries, data_bytes);
  if (!covered.ok()) return covered;
  return entries;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  struct stat info = {};
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular || info.st_size < static_cast<off_t>(kLengthBytes)) {
    close(fd);
    return AtPath(path, Invalid("is not a safetensors file"));
  }
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->path_ = path;
  file->mapping_bytes_ = info.st_size;
  void* mapping =
      mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, fd, /*offset=*/0);
  close(fd);
  if (mapping == MAP_FAILED) {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be mapped: ", std::strerror(errno)));
  }
  file->mapping_ = static_cast<const char*>(mapping);
  const std::string_view bytes(file->mapping_, file->mapping_bytes_);
  auto entries = ParseSafetensorsHeader(bytes, bytes.size());
  if (!entries.ok()) return AtPath(path, entries.status());
  file->data_begin_ = kLengthBytes + *HeaderBytes(bytes, bytes.size());
  file->entries_ = *std::move(entries);
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) {
    munmap(const_cast<char*>(mapping_), mapping_bytes_);
  }
}

absl::StatusOr<at::Tensor> SafetensorsFile::Read(
    const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return absl::NotFoundError(
        absl::StrCat(path_, ": tensor \"", name, "\" is missing"));
  }
  const TensorEntry& entry = found->second;
  const char* data = mapping_ + data_begin_ + entry.begin_bytes;
  const auto options = at::TensorOptions().dtype(entry.dtype);
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(entry.dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.mutable_data_ptr(), data, entry.size_bytes);
    return copy;
  }
  return at::from_blob(
      const_cast<char*>(data), entry.shape,
      [keep = shared_from_this()](void*) {}, options);
}

}  // namespace genzo
