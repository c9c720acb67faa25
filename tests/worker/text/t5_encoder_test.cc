#include "worker/text/t5_encoder.h"

#include "ATen/ops/tensor.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

TEST(T5ConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(
      ReadT5Config(folder.Write("a", R"({"feed_forward_proj":"gated-tanh"})")),
      StatusIs(absl::StatusCode::kUnimplemented,
               "feed_forward_proj \"gated-tanh\""));
  EXPECT_THAT(ReadT5Config(folder.Write(
                  "b", R"({"feed_forward_proj":"gated-gelu","d_kv":0})")),
              StatusIs(absl::StatusCode::kInvalidArgument, "d_kv 0"));
}

// As transformers' T5Config reads the key.
TEST(T5ConfigTest, FeedForwardLayersAreNamed) {
  const TestFolder folder;
  const auto read = [&](const std::string& name) {
    return *ReadT5Config(
        folder.Write("a", "{\"feed_forward_proj\":\"" + name + "\"}"));
  };
  EXPECT_TRUE(read("gated-gelu").gated);
  EXPECT_EQ(read("gated-gelu").activation, Activation::kGeluTanh);
  EXPECT_TRUE(read("gated-silu").gated);
  EXPECT_FALSE(read("relu").gated);
  EXPECT_EQ(read("relu").activation, Activation::kRelu);
  EXPECT_EQ(read("gelu").activation, Activation::kGelu);
  EXPECT_FALSE(ReadT5Config(folder.Write("a", "{}"))->gated);
  const auto written = ReadT5Config(folder.Write("a", R"({
      "feed_forward_proj":"relu", "is_gated_act":true, "dense_act_fn":"silu"
  })"));
  EXPECT_TRUE(written->gated) << "what is written out goes before the name";
  EXPECT_EQ(written->activation, Activation::kSilu);
}

class T5EncoderTest : public ::testing::Test {
 protected:
  at::Tensor Encode(at::ScalarType dtype, const at::Tensor& ids) const {
    const Weights weights = *OpenWeights(folder_, dtype, at::kCPU);
    const T5Encoder encoder(*ReadT5Config(folder_ + "/config.json"), weights);
    EXPECT_THAT(weights.Finish(), IsOk());
    return encoder.forward(ids);
  }

  c10::InferenceMode inference_;
  const std::string folder_ =
      SourcePath("tests/data/reference/models/flux-dev/text_encoder_2");
  const at::Tensor ids_ =
      at::tensor({5L, 9L, 9L, 1L, 0L, 7L, 8L, 3L, 1L, 0L}).view({2, 5});
};

TEST_F(T5EncoderTest, EveryTokenSeesThoseBehindItToo) {
  at::Tensor other = ids_.clone();
  other[0][4] = 8;
  const at::Tensor a = Encode(at::kFloat, ids_);
  const at::Tensor b = Encode(at::kFloat, other);
  ASSERT_EQ(a.sizes(), at::IntArrayRef({2, 5, 32}));
  EXPECT_FALSE(at::equal(a[0][0], b[0][0]));
  EXPECT_THAT(a[1], TensorEquals(b[1])) << "texts do not see each other";
}

TEST_F(T5EncoderTest, TellsEqualTokensByTheirPlaces) {
  const at::Tensor states = Encode(at::kFloat, ids_);
  EXPECT_FALSE(at::equal(states[0][1], states[0][2]));
}

TEST_F(T5EncoderTest, HalfPrecisionIsNear) {
  const at::Tensor exact = Encode(at::kFloat, ids_);
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    const at::Tensor states = Encode(dtype, ids_);
    EXPECT_EQ(states.scalar_type(), dtype);
    EXPECT_THAT(states.to(at::kFloat), TensorNear(exact, 0.05));
  }
}

}  // namespace
}  // namespace genzo
