#include "worker/weights/torch_file/torch_file.h"

#include <zip.h>

#include <fstream>

#include "ATen/ops/as_strided.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/isfinite.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace genzo {
namespace {

constexpr uint64_t kMaxPickleBytes = 64 << 20;
constexpr char kPickle[] = "data.pkl";
// What torch.save() began with before it wrote archives: its magic number,
// 0x1950a86a20f9469cfc6c, as a pickle.
constexpr absl::string_view kLegacyBeginning =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

bool IsLegacy(const std::string& path) {
  std::string beginning(kLegacyBeginning.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  return file && beginning == kLegacyBeginning;
}

}  // namespace

// The archive, open for reading.
struct TorchFile::Archive {
  explicit Archive(zip_t* opened) : zip(opened) {}
  ~Archive() { zip_discard(zip); }

  absl::StatusOr<uint64_t> Size(const std::string& name) const {
    zip_stat_t stat;
    if (zip_stat(zip, name.c_str(), 0, &stat) != 0 ||
        (stat.valid & ZIP_STAT_SIZE) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("entry \"", name, "\" is missing"));
    }
    return stat.size;
  }

  // Fills `bytes` from the entry's beginning.
  absl::Status Read(const std::string& name, absl::Span<char> bytes) const {
    zip_file_t* const file = zip_fopen(zip, name.c_str(), 0);
    absl::Status status;
    while (file != nullptr && !bytes.empty()) {
      const zip_int64_t count = zip_fread(file, bytes.data(), bytes.size());
      if (count <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    if (file == nullptr || !bytes.empty()) {
      status = absl::DataLossError(
          absl::StrCat("entry \"", name, "\" cannot be read"));
    }
    if (file != nullptr) zip_fclose(file);
    return status;
  }

  zip_t* const zip;
};

TorchFile::TorchFile(std::string path, std::unique_ptr<Archive> archive)
    : path_(std::move(path)), archive_(std::move(archive)) {}

TorchFile::~TorchFile() = default;

absl::StatusOr<std::shared_ptr<const TensorSource>> TorchFile::Open(
    const std::string& path) {
  int error = 0;
  zip_t* const zip = zip_open(path.c_str(), ZIP_RDONLY, &error);
  if (zip == nullptr && IsLegacy(path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": was written by torch older than 1.6 (not a zip archive), ",
        "which is not read; torch.load() it where you trust it and torch.save()"
        " what that gives with a newer torch"));
  }
  if (zip == nullptr) {
    zip_error_t why;
    zip_error_init_with_code(&why, error);
    const std::string message = zip_error_strerror(&why);
    zip_error_fini(&why);
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is no archive of torch.save(): ", message));
  }
  std::shared_ptr<TorchFile> file(
      new TorchFile(path, std::make_unique<Archive>(zip)));
  const absl::Status read = file->ReadIndex();
  if (!read.ok()) {
    return absl::Status(read.code(), absl::StrCat(path, ": ", read.message()));
  }
  return std::shared_ptr<const TensorSource>(std::move(file));
}

absl::Status TorchFile::ReadIndex() {
  std::string pickle_name;
  const zip_int64_t count = zip_get_num_entries(archive_->zip, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* const name =
        zip_get_name(archive_->zip, static_cast<zip_uint64_t>(i), 0);
    if (name == nullptr || !absl::EndsWith(name, kPickle)) continue;
    if (!pickle_name.empty()) {
      return absl::InvalidArgumentError("has two entries data.pkl");
    }
    pickle_name = name;
  }
  if (pickle_name.empty()) {
    return absl::InvalidArgumentError("has no entry data.pkl");
  }
  root_ = pickle_name.substr(0, pickle_name.size() - (sizeof(kPickle) - 1));
  const auto size = archive_->Size(pickle_name);
  if (!size.ok()) return size.status();
  if (*size > kMaxPickleBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has a pickle of ", *size, " bytes, the limit is ", kMaxPickleBytes));
  }
  std::string pickle(*size, '\0');
  const absl::Status read = archive_->Read(pickle_name, absl::MakeSpan(pickle));
  if (!read.ok()) return read;
  const auto tensors = ReadPickledTensors(pickle);
  if (!tensors.ok()) return tensors.status();
  for (const auto& [name, tensor] : *tensors) {
    const absl::Status added = AddTensor(name, tensor);
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status TorchFile::AddTensor(const std::string& name,
                                  const PickledTensor& tensor) {
  const auto bytes =
      archive_->Size(absl::StrCat(root_, "data/", tensor.storage_key));
  if (!bytes.ok()) return bytes.status();
  const size_t element_bytes = c10::elementSize(tensor.dtype);
  uint64_t expected = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(tensor.storage_elements),
                             element_bytes, &expected) ||
      expected != *bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", name, "\" is of ", tensor.storage_elements,
                     " elements, its storage has ", *bytes, " bytes"));
  }
  size_t elements = 1;
  for (const int64_t dimension : tensor.shape) {
    elements *= static_cast<size_t>(dimension);
  }
  entries_[name] = {.dtype = tensor.dtype,
                    .shape = tensor.shape,
                    .begin_bytes = 0,
                    .size_bytes = elements * element_bytes};
  tensors_[name] = tensor;
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> TorchFile::Read(const std::string& name,
                                           const ReadOptions& options) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return Missing(name);
  const PickledTensor& tensor = found->second;
  const absl::Status sound = CheckRows(name, entries_.at(name), options.rows);
  if (!sound.ok()) return sound;
  const at::Tensor storage = at::empty({tensor.storage_elements},
                                       at::TensorOptions().dtype(tensor.dtype));
  const absl::Status read = archive_->Read(
      absl::StrCat(root_, "data/", tensor.storage_key),
      absl::MakeSpan(static_cast<char*>(storage.mutable_data_ptr()),
                     storage.nbytes()));
  if (!read.ok()) {
    return absl::Status(read.code(), absl::StrCat(path_, ": ", read.message()));
  }
  at::Tensor view =
      at::as_strided(storage, tensor.shape, tensor.strides, tensor.offset);
  if (options.rows.has_value()) {
    view = view.narrow(0, options.rows->begin, options.rows->count);
  }
  at::Tensor values =
      view.to(options.dtype.value_or(tensor.dtype)).contiguous();
  if (values.is_alias_of(storage) && values.numel() < storage.numel()) {
    values = values.clone();
  }
  if (options.must_be_finite && values.is_floating_point() &&
      !at::isfinite(values).all().item<bool>()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": infinity or NaN: tensor \"", name, "\""));
  }
  return values;
}

}  // namespace genzo
