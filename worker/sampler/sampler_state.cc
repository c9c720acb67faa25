#include "worker/sampler/sampler_state.h"

#include <bit>
#include <optional>
#include <utility>

#include "ATen/ops/empty.h"
#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "genzo/internal/v1/sampler_state.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace genzo {
namespace {

using TensorProto = internal::v1::SamplerState::Tensor;

static_assert(std::endian::native == std::endian::little,
              "tensors travel as they lie in memory");

absl::Status Fault(const std::string& name, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat("sampler state: ", name, " ", message));
}

TensorProto ToProto(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.cpu().contiguous();
  TORCH_CHECK(
      dense.scalar_type() == at::kFloat || dense.scalar_type() == at::kDouble,
      "a sampler state has no ", dense.scalar_type());
  TensorProto proto;
  proto.set_element_type(dense.scalar_type() == at::kFloat
                             ? TensorProto::ELEMENT_TYPE_FLOAT32
                             : TensorProto::ELEMENT_TYPE_FLOAT64);
  for (int64_t size : dense.sizes()) proto.add_shape(size);
  proto.set_data(dense.const_data_ptr(), dense.nbytes());
  return proto;
}

// Bytes that `proto` must hold; nullopt if its shape is none or too large.
std::optional<uint64_t> BytesOf(const TensorProto& proto, uint64_t element) {
  uint64_t bytes = element;
  for (int64_t size : proto.shape()) {
    if (size < 0 ||
        __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

absl::StatusOr<at::Tensor> FromProto(const std::string& name,
                                     const TensorProto& proto) {
  const bool is_float =
      proto.element_type() == TensorProto::ELEMENT_TYPE_FLOAT32;
  if (!is_float && proto.element_type() != TensorProto::ELEMENT_TYPE_FLOAT64) {
    return Fault(name, absl::StrCat("has the unknown element type ",
                                    proto.element_type()));
  }
  const auto bytes = BytesOf(proto, is_float ? sizeof(float) : sizeof(double));
  if (bytes != proto.data().size()) {
    return Fault(name, absl::StrCat("has ", proto.data().size(),
                                    " bytes, which its shape does not"));
  }
  const at::Tensor tensor =
      at::empty(at::IntArrayRef(proto.shape().data(), proto.shape_size()),
                is_float ? at::kFloat : at::kDouble);
  absl::c_copy(proto.data(), static_cast<char*>(tensor.mutable_data_ptr()));
  return tensor;
}

}  // namespace

void SamplerState::SetTensor(const std::string& name, at::Tensor value) {
  tensors_[name] = std::move(value);
}

void SamplerState::SetInteger(const std::string& name, int64_t value) {
  integers_[name] = value;
}

void SamplerState::SetNumber(const std::string& name, double value) {
  numbers_[name] = value;
}

void SamplerState::SetText(const std::string& name, std::string value) {
  texts_[name] = std::move(value);
}

std::string SamplerState::Serialize() const {
  internal::v1::SamplerState proto;
  for (const auto& [name, tensor] : tensors_) {
    (*proto.mutable_tensors())[name] = ToProto(tensor);
  }
  proto.mutable_integers()->insert(integers_.begin(), integers_.end());
  proto.mutable_numbers()->insert(numbers_.begin(), numbers_.end());
  proto.mutable_texts()->insert(texts_.begin(), texts_.end());
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.SetSerializationDeterministic(true);
  proto.SerializeToCodedStream(&output);
  output.Trim();
  return bytes;
}

absl::StatusOr<SamplerState> SamplerState::Parse(const std::string& bytes) {
  internal::v1::SamplerState proto;
  if (!proto.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("sampler state: is not one");
  }
  SamplerState state;
  for (const auto& [name, tensor] : proto.tensors()) {
    auto parsed = FromProto(name, tensor);
    if (!parsed.ok()) return parsed.status();
    state.tensors_[name] = *std::move(parsed);
  }
  state.integers_ = {proto.integers().begin(), proto.integers().end()};
  state.numbers_ = {proto.numbers().begin(), proto.numbers().end()};
  state.texts_ = {proto.texts().begin(), proto.texts().end()};
  return state;
}

template <typename Value>
const Value* StateReader::Find(const std::map<std::string, Value>& values,
                               const std::string& name) {
  const auto found = values.find(name);
  if (found != values.end()) return &found->second;
  Fail(name, "is missing");
  return nullptr;
}

at::Tensor StateReader::Tensor(const std::string& name,
                               const at::Tensor& like) {
  const at::Tensor* tensor = Find(state_.tensors_, name);
  if (tensor == nullptr) return like;
  if (tensor->sizes() == like.sizes() &&
      tensor->scalar_type() == like.scalar_type()) {
    return *tensor;
  }
  Fail(name, absl::StrCat("is not a tensor of ", like.numel(),
                          " elements in the run's shape"));
  return like;
}

int64_t StateReader::Integer(const std::string& name, int64_t min,
                             int64_t max) {
  const int64_t* value = Find(state_.integers_, name);
  if (value == nullptr) return min;
  if (*value >= min && *value <= max) return *value;
  Fail(name, absl::StrCat(*value, " is not between ", min, " and ", max));
  return min;
}

double StateReader::Number(const std::string& name) {
  const double* value = Find(state_.numbers_, name);
  return value == nullptr ? 0 : *value;
}

std::string StateReader::Text(const std::string& name) {
  const std::string* value = Find(state_.texts_, name);
  return value == nullptr ? std::string() : *value;
}

void StateReader::Fail(const std::string& name, absl::string_view message) {
  if (status_.ok()) status_ = Fault(name, message);
}

}  // namespace genzo
