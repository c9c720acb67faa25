#include "worker/weights/safetensors.h"

#include <algorithm>
#include <optional>
#include <set>

#include "ATen/ops/empty.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxTensors = 65536;
constexpr size_t kMaxRank = 8;
// What is read before it is cast: stays in a core's cache.
constexpr size_t kChunkBytes = 256 << 10;

absl::Status Invalid(const std::string& message) {
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<at::ScalarType> ParseDtype(const std::string& name) {
  static const std::map<std::string, at::ScalarType> kDtypes = {
      {"F64", at::kDouble},
      {"F32", at::kFloat},
      {"F16", at::kHalf},
      {"BF16", at::kBFloat16},
      {"I64", at::kLong},
      {"I32", at::kInt},
      {"I16", at::kShort},
      {"I8", at::kChar},
      {"U8", at::kByte},
      {"BOOL", at::kBool},
      {"F8_E4M3", at::kFloat8_e4m3fn},
      {"F8_E5M2", at::kFloat8_e5m2}};
  const auto found = kDtypes.find(name);
  if (found == kDtypes.end()) {
    return Invalid(
        absl::StrCat("dtype \"", Shortened(name), "\" is not known"));
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

// Texts alone: that is all that the format allows.
std::map<std::string, std::string> ParseMetadata(const json& value) {
  std::map<std::string, std::string> metadata;
  if (!value.is_object()) return metadata;
  for (const auto& [key, text] : value.items()) {
    if (text.is_string()) metadata[key] = text.get<std::string>();
  }
  return metadata;
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
          "tensor \"", Shortened(*name), "\" begins at ", entry->begin_bytes,
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
  if (length > kMaxJsonBytes || length > file_bytes - kLengthBytes) {
    return Invalid(absl::StrCat(
        "is no safetensors file, or cut short: it names a header of ", length,
        " bytes, has ", file_bytes - kLengthBytes, " left, and the limit is ",
        kMaxJsonBytes));
  }
  return length;
}

// Whether a value has all the bits of `exponent` set, as infinities and NaN
// have. Without branches, so that the compiler takes many at a time.
template <typename Bits>
bool AnyHas(Bits exponent, const at::Tensor& values) {
  const Bits* const bits = static_cast<const Bits*>(values.const_data_ptr());
  const int64_t count = values.numel();
  Bits any = 0;
  for (int64_t i = 0; i < count; ++i) any |= (bits[i] & exponent) == exponent;
  return any != 0;
}

bool AllFinite(const at::Tensor& values) {
  switch (values.scalar_type()) {
    case at::kDouble:
      return !AnyHas<uint64_t>(0x7FF0000000000000, values);
    case at::kFloat:
      return !AnyHas<uint32_t>(0x7F800000, values);
    case at::kHalf:
      return !AnyHas<uint16_t>(0x7C00, values);
    case at::kBFloat16:
      return !AnyHas<uint16_t>(0x7F80, values);
    default:
      return true;
  }
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view head,
                                                         size_t file_bytes) {
  const auto length = HeaderBytes(head, file_bytes);
  if (!length.ok()) return length.status();
  if (head.size() < kLengthBytes + *length) {
    return Invalid("the header is cut off");
  }
  const std::string_view text = head.substr(kLengthBytes, *length);
  if (text.empty() || text[0] != '{') {
    return Invalid("the header does not begin with {");
  }
  const auto object = ParseJson(text, TopKeys::kAreUnique);
  if (!object.ok()) {
    return Invalid(absl::StrCat("the header: ", object.status().message()));
  }
  if (object->size() > kMaxTensors) {
    return Invalid(absl::StrCat("has ", object->size(),
                                " tensors, the limit is ", kMaxTensors));
  }
  const size_t data_bytes = file_bytes - kLengthBytes - *length;
  SafetensorsHeader header;
  for (const auto& [name, value] : object->items()) {
    if (name == "__metadata__") {
      header.metadata = ParseMetadata(value);
      continue;
    }
    auto entry = ParseEntry(value, data_bytes);
    if (!entry.ok()) {
      return Invalid(absl::StrCat("tensor \"", Shortened(name), "\" ",
                                  entry.status().message()));
    }
    header.entries.emplace(name, *std::move(entry));
  }
  const absl::Status covered = CheckCoverage(header.entries, data_bytes);
  if (!covered.ok()) return covered;
  return header;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  auto opened = RegularFile::Open(path);
  if (!opened.ok()) return opened.status();
  const size_t file_bytes = (*opened)->size_bytes();
  std::string head(std::min(file_bytes, kLengthBytes), '\0');
  absl::Status read = (*opened)->ReadAt(0, absl::MakeSpan(head));
  if (!read.ok()) return read;
  const auto length = HeaderBytes(head, file_bytes);
  if (!length.ok()) return AtPath(path, length.status());
  head.resize(kLengthBytes + *length);
  read = (*opened)->ReadAt(0, absl::MakeSpan(head));
  if (!read.ok()) return read;
  auto header = ParseSafetensorsHeader(head, file_bytes);
  if (!header.ok()) return AtPath(path, header.status());
  std::shared_ptr<SafetensorsFile> file(
      new SafetensorsFile(*std::move(opened)));
  file->data_begin_ = head.size();
  file->header_ = *std::move(header);
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

absl::StatusOr<at::Tensor> SafetensorsFile::Read(
    const std::string& name, const ReadOptions& options) const {
  const auto found = header_.entries.find(name);
  if (found == header_.entries.end()) return Missing(name);
  const TensorEntry& entry = found->second;
  const absl::Status sound = CheckRows(name, entry, options.rows);
  if (!sound.ok()) return sound;
  std::vector<int64_t> shape = entry.shape;
  size_t begin_bytes = entry.begin_bytes;
  if (options.rows.has_value()) {
    const size_t row_bytes =
        shape[0] == 0 ? 0 : entry.size_bytes / static_cast<size_t>(shape[0]);
    begin_bytes += static_cast<size_t>(options.rows->begin) * row_bytes;
    shape[0] = options.rows->count;
  }
  const at::Tensor tensor = at::empty(
      shape, at::TensorOptions().dtype(options.dtype.value_or(entry.dtype)));
  const absl::Status filled =
      Fill(entry.dtype, begin_bytes, options.must_be_finite, tensor);
  if (filled.ok()) return tensor;
  return absl::Status(
      filled.code(), absl::StrCat(filled.message(), ": tensor \"", name, "\""));
}

absl::Status SafetensorsFile::Fill(at::ScalarType dtype, size_t begin_bytes,
                                   bool must_be_finite,
                                   const at::Tensor& to) const {
  const auto element_bytes = static_cast<int64_t>(c10::elementSize(dtype));
  const bool cast = to.scalar_type() != dtype;
  const int64_t most =
      cast ? static_cast<int64_t>(kChunkBytes) / element_bytes : to.numel();
  const at::Tensor stored = cast ? at::empty({std::min(most, to.numel())},
                                             at::TensorOptions().dtype(dtype))
                                 : at::Tensor();
  const at::Tensor flat = to.view({-1});
  for (int64_t begin = 0; begin < flat.numel(); begin += most) {
    const int64_t count = std::min(most, flat.numel() - begin);
    const at::Tensor part = flat.narrow(0, begin, count);
    const at::Tensor raw = cast ? stored.narrow(0, 0, count) : part;
    const absl::Status read =
        file_->ReadAt(data_begin_ + begin_bytes + begin * element_bytes,
                      absl::MakeSpan(static_cast<char*>(raw.mutable_data_ptr()),
                                     count * element_bytes));
    if (!read.ok()) return read;
    if (cast) part.copy_(raw);
    if (must_be_finite && !AllFinite(part)) {
      return Invalid(absl::StrCat(path(), ": infinity or NaN as ",
                                  c10::toString(to.scalar_type())));
    }
  }
  return absl::OkStatus();
}

}  // namespace genzo
