#include "worker/sampler/sampler_state.h"

#include "ATen/ops/arange.h"
#include "ATen/ops/zeros.h"
#include "genzo/internal/v1/sampler_state.pb.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

using TensorProto = internal::v1::SamplerState::Tensor;

// The bytes of a state with one tensor, "x".
std::string WithTensor(TensorProto::ElementType type,
                       const std::vector<int64_t>& shape, size_t bytes) {
  internal::v1::SamplerState state;
  TensorProto& tensor = (*state.mutable_tensors())["x"];
  tensor.set_element_type(type);
  for (int64_t size : shape) tensor.add_shape(size);
  tensor.set_data(std::string(bytes, '\0'));
  return state.SerializeAsString();
}

TEST(SamplerStateTest, EveryKindOfFieldComesBack) {
  const at::Tensor floats = at::arange(6, at::kFloat).view({1, 2, 3});
  const at::Tensor strided = at::arange(6, at::kDouble).view({2, 3}).t();
  SamplerState state;
  state.SetTensor("floats", floats);
  state.SetTensor("strided", strided);
  state.SetInteger("integer", -3);
  state.SetNumber("number", 0.1);
  state.SetText("text", std::string("a\0\xff", 3));
  const auto parsed = SamplerState::Parse(state.Serialize());
  ASSERT_THAT(parsed, IsOk());
  StateReader reader(*parsed);
  EXPECT_THAT(reader.Tensor("floats", at::zeros({1, 2, 3})),
              TensorEquals(floats));
  EXPECT_THAT(reader.Tensor("strided", at::zeros({3, 2}, at::kDouble)),
              TensorEquals(strided));
  EXPECT_EQ(reader.Integer("integer", -5, 5), -3);
  EXPECT_EQ(reader.Number("number"), 0.1);
  EXPECT_EQ(reader.Text("text"), std::string("a\0\xff", 3));
  EXPECT_THAT(reader.status(), IsOk());
}

TEST(SamplerStateTest, TheFirstFaultIsKept) {
  SamplerState state;
  state.SetInteger("position", 9);
  StateReader reader(state);
  EXPECT_EQ(reader.Integer("position", 0, 8), 0);
  EXPECT_EQ(reader.Text("name"), "");
  EXPECT_THAT(reader.status(),
              StatusIs(kInvalid, "position 9 is not between 0 and 8"));
}

TEST(SamplerStateTest, TensorsOfAnotherShapeOrTypeAreRefused) {
  SamplerState state;
  state.SetTensor("latent", at::zeros({2, 3}));
  const auto status = [&](const at::Tensor& like) {
    StateReader reader(state);
    reader.Tensor("latent", like);
    return reader.status();
  };
  EXPECT_THAT(status(at::zeros({2, 3})), IsOk());
  EXPECT_THAT(status(at::zeros({3, 2})), StatusIs(kInvalid, "latent"));
  EXPECT_THAT(status(at::zeros({2, 3}, at::kDouble)),
              StatusIs(kInvalid, "latent"));
}

TEST(SamplerStateTest, BytesThatAreNoStateAreRefused) {
  EXPECT_THAT(SamplerState::Parse("\xff\xff"), StatusIs(kInvalid, "not one"));
  EXPECT_THAT(SamplerState::Parse(
                  WithTensor(TensorProto::ELEMENT_TYPE_UNSPECIFIED, {2}, 8)),
              StatusIs(kInvalid, "x has the unknown element type 0"));
  const auto floats = [](const std::vector<int64_t>& shape, size_t bytes) {
    return SamplerState::Parse(
        WithTensor(TensorProto::ELEMENT_TYPE_FLOAT32, shape, bytes));
  };
  EXPECT_THAT(floats({2}, 8), IsOk());
  EXPECT_THAT(floats({}, 4), IsOk()) << "a single number";
  EXPECT_THAT(floats({2}, 7), StatusIs(kInvalid, "x has 7 bytes"));
  EXPECT_THAT(floats({-2}, 8), StatusIs(kInvalid, "x has 8 bytes"));
  // 2^62 elements of 4 bytes are 0 bytes modulo 2^64.
  EXPECT_THAT(floats({int64_t{1} << 31, int64_t{1} << 31}, 0),
              StatusIs(kInvalid, "x has 0 bytes"));
  EXPECT_THAT(floats({0, int64_t{1} << 62}, 0), IsOk()) << "an empty tensor";
}

}  // namespace
}  // namespace genzo
